"""A copy is the table as it was when it was pinned, whatever happens to the table meanwhile."""

import shutil
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from hedgerow.core.errors import ConflictError
from hedgerow.lake import copy, maintain, write
from hedgerow.lake.storage import Storage

TABLE = "1/shop_orders-0000000a"
_fences = count(1)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "tables"))


@pytest.fixture
def backup(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "backup"))


def _replace(storage: Storage, values: list[int]) -> None:
    batch = pa.record_batch({"id": pa.array(values, pa.int64())})
    facts = write.CommitFacts(run="r", fence=next(_fences))
    write.replace(storage, TABLE, batch.schema, [batch], lambda: facts, lambda _: None)


def _append(storage: Storage, value: int) -> None:
    batch = pa.record_batch({"id": pa.array([value], pa.int64())})
    facts = write.CommitFacts(run="r", fence=next(_fences))
    write.append(storage, TABLE, batch.schema, [batch], lambda: facts, lambda _: None)


def _ids(storage: Storage) -> list[int]:
    from deltalake import DeltaTable

    table = DeltaTable(storage.uri(TABLE)).to_pyarrow_table()
    return sorted(table.column("id").to_pylist())


def _pinned(storage: Storage) -> copy.Pinned:
    pinned = copy.pin(storage, TABLE)
    assert pinned is not None
    return pinned


def test_where_there_is_no_table_nothing_is_pinned(storage: Storage) -> None:
    assert copy.pin(storage, TABLE) is None


def test_a_copy_holds_the_same_rows(storage: Storage, backup: Storage) -> None:
    _replace(storage, [1, 2])
    _append(storage, 3)

    copy.copy(_pinned(storage), storage, backup)

    assert _ids(backup) == [1, 2, 3]


def test_what_is_committed_after_pinning_is_not_in_it(storage: Storage, backup: Storage) -> None:
    _replace(storage, [1, 2])
    pinned = _pinned(storage)
    _append(storage, 3)
    _replace(storage, [9])

    copy.copy(pinned, storage, backup)

    assert _ids(backup) == [1, 2]
    assert _ids(storage) == [9]


def test_a_copy_stays_as_it_is_when_the_table_is_erased(storage: Storage, backup: Storage) -> None:
    _replace(storage, [1, 2])
    copy.copy(_pinned(storage), storage, backup)

    storage.delete(TABLE)

    assert _ids(backup) == [1, 2]


def test_a_checkpoint_beyond_the_pinned_version_does_no_harm(storage: Storage, backup: Storage) -> None:
    _replace(storage, [0])
    pinned = _pinned(storage)
    for value in range(1, 15):
        _append(storage, value)
    maintain.tidy(storage, TABLE, keep_hours=24)

    copy.copy(pinned, storage, backup)

    assert _ids(backup) == [0]


def test_a_table_with_a_checkpoint_is_copied(storage: Storage, backup: Storage) -> None:
    _replace(storage, [0])
    for value in range(1, 15):
        _append(storage, value)
    maintain.tidy(storage, TABLE, keep_hours=24)

    copy.copy(_pinned(storage), storage, backup)

    assert _ids(backup) == list(range(15))


def test_a_table_erased_after_pinning_is_a_conflict(storage: Storage, backup: Storage) -> None:
    _replace(storage, [1])
    pinned = _pinned(storage)
    storage.delete(TABLE)

    with pytest.raises(ConflictError, match="lost files"):
        copy.copy(pinned, storage, backup)


def test_a_log_without_its_beginning_is_a_conflict(storage: Storage, backup: Storage) -> None:
    _replace(storage, [1])
    _append(storage, 2)
    pinned = _pinned(storage)
    (Path(storage.uri(TABLE)) / "_delta_log" / f"{0:020}.json").unlink()

    with pytest.raises(ConflictError, match="was shortened"):
        copy.copy(pinned, storage, backup)


def test_where_files_cannot_be_linked_they_are_copied(
    storage: Storage, backup: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file system answers a link with an OSError; one is hard to have in a test, the error is not."""

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    _replace(storage, [1, 2])
    monkeypatch.setattr("os.link", refuse)

    copy.copy(_pinned(storage), storage, backup)
    shutil.rmtree(storage.root)

    assert _ids(backup) == [1, 2]
