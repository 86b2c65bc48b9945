"""A local folder, and a real S3 protocol: moto's server in a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import fs

from hedgerow.core.errors import BrokenError, ConflictError
from hedgerow.lake import maintain, read, write
from hedgerow.lake.storage import Storage
from tests.lake.tables import PLACE, append, facts, merge, replace

ROWS = pa.table({"id": [1, 2], "name": ["Alice", "Bob"]})


def test_a_folder_is_made_and_can_be_written(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "a b" / "tables"))
    storage.check()
    assert list(Path(storage.url).iterdir()) == []
    replace(storage, 1, ROWS)
    state = read.state(storage, PLACE)
    assert state is not None
    assert state.row_count == 2


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokenError, match="cannot be written"):
        Storage(str(tmp_path / "file")).check()


def test_a_folder_that_delta_rs_would_misread_is_told(tmp_path: Path) -> None:
    with pytest.raises(BrokenError, match="%"):
        Storage(str(tmp_path / "a%20b")).check()


def test_a_relative_folder_is_meant_from_where_the_process_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Storage("tables").uri("1/x") == str(tmp_path / "tables/1/x")


def test_deleting_a_table_leaves_the_others_and_may_be_repeated(storage: Storage) -> None:
    replace(storage, 1, ROWS)
    write.replace(storage, "7/other", ROWS.schema, ROWS.to_batches(), facts(1), lambda _n: None)
    for _ in range(2):
        storage.delete(PLACE)
    assert read.state(storage, PLACE) is None
    assert not Path(storage.path(PLACE)).exists()
    assert read.state(storage, "7/other") is not None


def test_tables_live_in_s3_as_in_a_folder(s3: Storage) -> None:
    s3.check()
    assert read.state(s3, PLACE) is None
    replace(s3, 1, ROWS)
    merge(s3, 2, pa.table({"id": [2, 3], "name": ["Bobby", "Carol"]}), cursor="3")
    for fence in range(3, 8):
        append(s3, fence, ROWS.slice(0, 1), cursor=str(fence))
    maintain.tidy(s3, PLACE, keep_hours=0)
    state, snapshot = read.state(s3, PLACE), read.files(s3, PLACE)
    assert state is not None
    assert snapshot is not None
    assert (state.row_count, state.cursor, len(snapshot.uris)) == (8, "7", 1)
    assert snapshot.uris[0].startswith(f"{s3.url}/{PLACE}/part-")
    assert read.maximum(s3, PLACE, "name") == "Carol"
    options = s3.delta_options() | {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret"}
    found = pl.read_delta(s3.uri(PLACE), storage_options=options)
    assert sorted(found["name"]) == ["Alice"] * 6 + ["Bobby", "Carol"]
    for _ in range(2):
        s3.delete(PLACE)
    assert read.state(s3, PLACE) is None


def test_of_two_commits_to_s3_at_once_only_the_newer_wins(s3: Storage) -> None:
    replace(s3, 1, ROWS)

    def overtaken() -> write.CommitFacts:
        append(s3, 3, ROWS)
        return facts(2)()

    with pytest.raises(ConflictError):
        write.append(s3, PLACE, ROWS.schema, ROWS.to_batches(), overtaken, lambda _n: None)
    state = read.state(s3, PLACE)
    assert state is not None
    assert (state.row_count, state.fence) == (4, 3)


@pytest.mark.parametrize("verb", ["append", "merge"])
def test_a_table_deleted_during_a_run_is_not_made_anew_from_the_last_rows_only(s3: Storage, verb: str) -> None:
    replace(s3, 1, ROWS)

    def deleted() -> Iterator[pa.RecordBatch]:
        yield from ROWS.to_batches()
        s3.delete(PLACE)

    extra = [["id"]] if verb == "merge" else []
    with pytest.raises(ConflictError):
        getattr(write, verb)(s3, PLACE, ROWS.schema, deleted(), facts(2), lambda _n: None, *extra)
    assert read.state(s3, PLACE) is None


def test_a_failed_write_leaves_nothing_in_s3(s3: Storage) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from ROWS.to_batches()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write.replace(s3, PLACE, ROWS.schema, batches(), facts(1), lambda _n: None)
    found = s3.filesystem().get_file_info(fs.FileSelector(s3.root, recursive=True, allow_not_found=True))
    assert [info for info in found if info.is_file] == []


def test_a_bucket_that_is_not_there_is_told(s3: Storage) -> None:
    with pytest.raises(BrokenError, match="cannot be written"):
        Storage("s3://nobody-made-this/prefix").check()
