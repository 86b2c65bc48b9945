from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from hedgerow.core.errors import BrokenError, ConflictError
from hedgerow.lake import maintain, read, write
from hedgerow.lake.storage import Storage
from tests.lake.tables import ALICE, BOB, PEOPLE, PLACE, append, facts, files, merge, replace, rows


@pytest.mark.parametrize("verb", [replace, append, merge])
def test_an_old_fence_is_refused_even_without_rows(storage: Storage, verb: Any) -> None:
    replace(storage, 5, PEOPLE)
    for count in (0, 1):
        for fence in (4, 5):
            with pytest.raises(ConflictError):
                verb(storage, fence, PEOPLE.slice(0, count))
    assert rows(storage) == [ALICE, BOB]
    assert len(files(storage)) == 1


@pytest.mark.parametrize("verb", ["replace", "append", "merge"])
@pytest.mark.parametrize("other", [replace, append, merge])
def test_of_two_runs_that_commit_at_once_the_newer_wins(storage: Storage, verb: str, other: Any) -> None:
    replace(storage, 1, PEOPLE)

    def overtaken() -> write.CommitFacts:
        other(storage, 3, pa.table({"id": [3], "name": ["overtook"]}))
        return facts(2)()

    extra = [["id"]] if verb == "merge" else []
    late = pa.table({"id": [2], "name": ["late"]})
    with pytest.raises(ConflictError):
        getattr(write, verb)(storage, PLACE, late.schema, late.to_batches(), overtaken, lambda _n: None, *extra)
    assert "late" not in [row["name"] for row in rows(storage)]
    assert rows(storage)[-1]["name"] == "overtook"


@pytest.mark.parametrize(("verb", "ids"), [("replace", [2]), ("append", [1, 2, 2, 3]), ("merge", [1, 2, 3])])
def test_the_newer_run_is_planned_again_when_an_older_one_committed_meanwhile(
    storage: Storage, verb: str, ids: list[int]
) -> None:
    replace(storage, 1, PEOPLE)

    def beaten() -> write.CommitFacts:
        merge(storage, 2, pa.table({"id": [2, 3], "name": ["older"] * 2}))
        return facts(3)()

    extra = [["id"]] if verb == "merge" else []
    new = pa.table({"id": [2], "name": ["newer"]})
    getattr(write, verb)(storage, PLACE, new.schema, new.to_batches(), beaten, lambda _n: None, *extra)
    assert [row["id"] for row in rows(storage)] == ids
    assert ("older", 2) not in [(row["name"], row["id"]) for row in rows(storage)] or verb == "append"


@pytest.mark.parametrize(("verb", "ids"), [("replace", [3]), ("append", [0, 1, 2, 3, 3]), ("merge", [0, 1, 2, 3])])
def test_a_run_is_planned_again_when_files_were_joined_meanwhile(storage: Storage, verb: str, ids: list[int]) -> None:
    for n in range(4):
        append(storage, n + 1, pa.table({"id": [n]}))

    def joined() -> write.CommitFacts:
        maintain.tidy(storage, PLACE, keep_hours=24)
        assert len(DeltaTable(storage.uri(PLACE)).file_uris()) == 1
        return facts(5)()

    extra = [["id"]] if verb == "merge" else []
    new = pa.table({"id": [3]})
    getattr(write, verb)(storage, PLACE, new.schema, new.to_batches(), joined, lambda _n: None, *extra)
    assert [row["id"] for row in rows(storage)] == ids


def test_rows_read_from_an_overtaken_cursor_are_not_added_twice(storage: Storage) -> None:
    append(storage, 1, PEOPLE, cursor="2")
    append(storage, 2, pa.table({"id": [3], "name": ["new"]}), cursor="3", base=1)
    with pytest.raises(ConflictError):
        append(storage, 3, pa.table({"id": [3], "name": ["new"]}), cursor="3", base=1)
    assert len(rows(storage)) == 3


@pytest.mark.parametrize("verb", ["append", "merge"])
def test_a_table_deleted_during_a_run_is_not_made_anew_from_the_last_rows_only(storage: Storage, verb: str) -> None:
    replace(storage, 1, PEOPLE)

    def deleted() -> Iterator[pa.RecordBatch]:
        storage.delete(PLACE)
        yield from PEOPLE.to_batches()

    extra = [["id"]] if verb == "merge" else []
    with pytest.raises(ConflictError):
        getattr(write, verb)(storage, PLACE, PEOPLE.schema, deleted(), facts(2), lambda _n: None, *extra)
    assert read.state(storage, PLACE) is None


def test_a_commit_whose_answer_was_lost_is_found_in_the_log(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(storage, 1, PEOPLE)
    real = Storage.create

    def answer_lost(*args: Any) -> None:
        real(*args)
        raise OSError("answer lost")

    monkeypatch.setattr(Storage, "create", answer_lost)
    assert append(storage, 2, PEOPLE).version == 1
    assert len(rows(storage)) == 4


def test_a_run_that_is_stopped_just_after_its_commit_does_not_take_its_files_away(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(storage, 1, PEOPLE)
    real = Storage.create

    def stopped(*args: Any) -> None:
        real(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(Storage, "create", stopped)
    with pytest.raises(KeyboardInterrupt):
        append(storage, 2, PEOPLE)
    assert len(rows(storage)) == 4


def test_files_that_were_swept_away_before_the_commit_are_noticed(storage: Storage) -> None:
    replace(storage, 1, PEOPLE)
    before = files(storage)

    def swept() -> write.CommitFacts:
        for name in files(storage) - before:
            Path(storage.path(PLACE), name).unlink()
        return facts(2)()

    with pytest.raises(BrokenError, match="is gone"):
        write.append(storage, PLACE, PEOPLE.schema, PEOPLE.to_batches(), swept, lambda _n: None)
    assert rows(storage) == [ALICE, BOB]
