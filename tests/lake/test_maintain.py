import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from hedgerow.lake import maintain, read
from hedgerow.lake.replay import DataFile
from hedgerow.lake.rewrite import rewrite
from hedgerow.lake.storage import STAGED, Storage
from tests.lake.tables import PLACE, append, content, merge, replace


def ids(*values: int) -> pa.Table:
    return pa.table({"id": pa.array(values, pa.int64()), "at": pa.array(values, pa.timestamp("us"))})


def files(storage: Storage) -> list[Path]:
    return sorted(Path(storage.path(PLACE)).glob("*.parquet"))


def age(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def test_a_table_that_is_not_there_is_tidy(storage: Storage) -> None:
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert read.state(storage, PLACE) is None


def test_small_files_become_one_and_nothing_else_changes(storage: Storage) -> None:
    for n in range(6):
        append(storage, n + 1, ids(n), cursor=str(n))
    before, rows = read.state(storage, PLACE), content(storage).sort_by("id")
    maintain.tidy(storage, PLACE, keep_hours=24)
    after = read.state(storage, PLACE)
    assert before is not None
    assert after is not None
    assert len(DeltaTable(storage.uri(PLACE)).file_uris()) == 1
    assert content(storage).sort_by("id") == rows
    assert (after.run, after.fence, after.cursor) == (before.run, before.fence, before.cursor)
    assert after.version == before.version + 1
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert read.state(storage, PLACE) == after


def test_a_joined_table_is_appended_and_merged_as_before(storage: Storage) -> None:
    for n in range(6):
        append(storage, n + 1, ids(n))
    maintain.tidy(storage, PLACE, keep_hours=24)
    append(storage, 7, ids(6))
    merge(storage, 8, ids(0, 6, 7))
    assert content(storage).sort_by("id")["id"].to_pylist() == list(range(8))


def test_empty_files_go_with_the_small_ones(storage: Storage) -> None:
    replace(storage, 1, ids())
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert content(storage).num_rows == 0
    for n in range(4):
        append(storage, n + 2, ids(n))
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert len(DeltaTable(storage.uri(PLACE)).file_uris()) == 1
    assert content(storage).num_rows == 4


def test_files_of_old_versions_stay_for_running_queries_and_go_after_the_grace(storage: Storage) -> None:
    replace(storage, 1, ids(1))
    snapshot = read.files(storage, PLACE)
    replace(storage, 2, ids(2))
    for path in files(storage):
        age(path, 1000)  # what counts is when a version dropped the file
    maintain.tidy(storage, PLACE, keep_hours=1)
    assert snapshot is not None
    assert Path(snapshot.uris[0]).exists()
    time.sleep(0.01)
    maintain.tidy(storage, PLACE, keep_hours=0)
    assert not Path(snapshot.uris[0]).exists()
    assert content(storage)["id"].to_pylist() == [2]


def test_orphans_go_when_they_are_older_than_any_run(storage: Storage) -> None:
    replace(storage, 1, ids(1))
    folder = Path(storage.path(PLACE))
    old, new = folder / "part-old.parquet", folder / "part-new.parquet"
    staged = folder / "_delta_log" / f".1{STAGED}"
    for path in (old, new, staged):
        path.write_bytes(b"PAR1")
    age(old, 25)
    age(staged, 25)
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert (old.exists(), new.exists(), staged.exists()) == (False, True, False)


def test_a_run_that_commits_during_the_tidying_wins(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(4):
        append(storage, n + 1, ids(n))

    def overtaken(*args: Any, **options: Any) -> list[DataFile]:
        actions = rewrite(*args, **options)
        merge(storage, 9, ids(0, 9), cursor="9")
        return actions

    monkeypatch.setattr("hedgerow.lake.maintain.rewrite", overtaken)
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert content(storage).sort_by("id")["id"].to_pylist() == [0, 1, 2, 3, 9]
    state = read.state(storage, PLACE)
    assert state is not None
    assert (state.fence, state.cursor) == (9, "9")


def test_the_log_gets_a_checkpoint_now_and_then(storage: Storage) -> None:
    for n in range(12):
        append(storage, n + 1, ids(n))
    maintain.tidy(storage, PLACE, keep_hours=24)
    log = Path(storage.path(PLACE), "_delta_log")
    assert len(list(log.glob("*.checkpoint.parquet"))) == 1
    assert content(storage).num_rows == 12
    append(storage, 13, ids(13))
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert len(list(log.glob("*.checkpoint.parquet"))) == 1
