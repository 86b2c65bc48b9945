from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.lake import log, maintain, read, replay, vectors
from hedgerow.lake.storage import Storage
from tests.lake.tables import PEOPLE, PLACE, append, content, merge, replace, rows, viewed

ROWS = 150_000


def numbers(count: int) -> pa.Table:
    return pa.table({"id": pa.array(range(count), pa.int64()), "v": pa.array(["old"] * count)})


def changed(ids: Sequence[int]) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64()), "v": pa.array(["new"] * len(ids))})


@pytest.mark.parametrize(
    "gone",
    [
        [0],
        [65_535, 65_536],
        [ROWS - 1],
        range(4_096),
        range(4_097),
        range(3, ROWS, 3),
        [*range(100, 70_000), *range(140_000, 140_003)],
        range(1, ROWS),
    ],
    ids=[
        "first",
        "edge of a block",
        "last",
        "longest list",
        "shortest bitmap",
        "a third",
        "blocks apart",
        "all but one",
    ],
)
def test_every_reader_leaves_out_the_rows_of_a_vector(storage: Storage, gone: Sequence[int]) -> None:
    merge(storage, 1, numbers(ROWS))
    merge(storage, 2, changed(list(gone)))
    new = set(gone)
    wanted = pl.DataFrame(numbers(ROWS)).with_columns(v=pl.Series(["new" if n in new else "old" for n in range(ROWS)]))
    assert pl.read_delta(storage.uri(PLACE)).sort("id").equals(wanted)
    assert pl.DataFrame(viewed(storage)).sort("id").equals(wanted)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 449_000), min_size=1, max_size=400), st.integers(0, 6))
def test_a_vector_says_what_it_was_given(tmp_path_factory: pytest.TempPathFactory, gone: set[int], spread: int) -> None:
    """As delta-rs reads it; `spread` makes runs long enough for bitmaps."""
    storage = Storage(str(tmp_path_factory.mktemp("tables")))
    deleted = sorted({n + step for n in gone for step in range(spread * 40 + 1)})
    replace(storage, 1, pa.table({"id": pa.array(range(450_000), pa.int32())}))
    table = log.open_table(storage, PLACE)
    assert table is not None
    (file,) = log.files_of(storage, PLACE, table)
    descriptor = vectors.write(storage, PLACE, {file.path: pa.array(deleted, pa.int64())})[file.path]
    marked = replay.DataFile(file.path, file.size, file.stats, descriptor)
    facts = log.CommitFacts("r", 2)
    after = log.commit(storage, PLACE, lambda: facts, lambda _t: log.Change(log.schema_of(table), [marked], [file]))
    active = log.files_of(storage, PLACE, after)
    assert active == [replay.DataFile(file.path, file.size, file.stats | {"tightBounds": False}, descriptor)]
    assert read.deleted_rows(after, active)[file.path].to_pylist() == deleted
    assert vectors.file_of(descriptor) in {path.name for path in Path(storage.path(PLACE)).iterdir()}


def test_vectors_grow_from_merge_to_merge_and_count_each_row_once(storage: Storage) -> None:
    merge(storage, 1, numbers(1_000))
    for fence, start in enumerate([0, 5, 3], start=2):
        written = merge(storage, fence, changed(range(start, 1_000, 20)))
        assert written.row_count == 1_000
    new = [row["id"] for row in rows(storage) if row["v"] == "new"]
    assert new == sorted({*range(0, 1_000, 20), *range(5, 1_000, 20), *range(3, 1_000, 20)})


def test_a_file_that_loses_its_last_row_leaves_the_table(storage: Storage) -> None:
    merge(storage, 1, PEOPLE)
    merge(storage, 2, pa.table({"id": [2], "name": ["B"]}))
    merge(storage, 3, pa.table({"id": [1], "name": ["A"]}))
    assert len(DeltaTable(storage.uri(PLACE)).file_uris()) == 2
    assert rows(storage) == [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}]


def test_the_greatest_value_is_that_of_the_rows_that_count(storage: Storage) -> None:
    merge(storage, 1, pa.table({"id": [1, 2], "n": [10, 99]}))
    merge(storage, 2, pa.table({"id": [2], "n": [20]}))
    assert read.maximum(storage, PLACE, "n") == "20"


def test_tidying_leaves_out_deleted_rows_when_they_are_many(storage: Storage) -> None:
    merge(storage, 1, numbers(1_000))
    merge(storage, 2, changed(range(90)))
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert [f.deleted for f in active(storage)] == [90, 0]
    merge(storage, 3, changed(range(90, 120)))
    before = content(storage).sort_by("id")
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert [f.deleted for f in active(storage)] == [0, 0, 0]
    assert content(storage).sort_by("id") == before


def test_tidying_bounds_the_deleted_rows_of_a_whole_table(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.lake.maintain._DELETED_ROWS", 12)
    merge(storage, 1, numbers(1_000))
    merge(storage, 2, pa.table({"id": range(1_000, 2_000), "v": ["old"] * 1_000}))
    merge(storage, 3, changed([1, 2, 3, 4, 5, *range(1_500, 1_510)]))
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert sorted(f.deleted for f in active(storage)) == [0, 0, 5]
    assert content(storage).num_rows == 2_000


def test_a_vector_s_file_stays_as_long_as_a_version_that_needs_it(storage: Storage) -> None:
    merge(storage, 1, numbers(100))
    merge(storage, 2, changed([1]))
    merge(storage, 3, changed([2]))
    maintain.tidy(storage, PLACE, keep_hours=1)
    assert len(vector_files(storage)) == 2
    maintain.tidy(storage, PLACE, keep_hours=0)
    assert len(vector_files(storage)) == 1
    assert content(storage).num_rows == 100
    replace(storage, 4, PEOPLE)
    maintain.tidy(storage, PLACE, keep_hours=0)
    assert not vector_files(storage)


def test_vectors_outlive_a_checkpoint(storage: Storage) -> None:
    merge(storage, 1, numbers(1_000))
    for fence in range(2, 14):
        merge(storage, fence, changed([fence]))
    before = content(storage).sort_by("id")
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert list(Path(storage.path(PLACE), "_delta_log").glob("*.checkpoint.parquet"))
    assert content(storage).sort_by("id") == before
    merge(storage, 20, changed([500]))
    assert content(storage).num_rows == 1_000


def test_a_new_column_and_changed_rows_go_together(storage: Storage) -> None:
    merge(storage, 1, numbers(10))
    merge(storage, 2, changed([3]))
    merge(storage, 3, pa.table({"id": [3, 4], "v": ["newer"] * 2, "w": [1.5, 2.5]}))
    wanted = [{"id": n, "v": "newer" if n in (3, 4) else "old", "w": {3: 1.5, 4: 2.5}.get(n)} for n in range(10)]
    assert rows(storage) == wanted


def test_columns_may_be_called_like_what_tells_rows_apart(storage: Storage) -> None:
    merge(storage, 1, pa.table({"file_index": [1, 2], "File_Row_Number": [3, 4]}), ["file_index"])
    merge(storage, 2, pa.table({"file_index": [2], "File_Row_Number": [5]}), ["file_index"])
    table = content(storage)
    assert table.column_names == ["file_index_2", "File_Row_Number_2"]
    assert sorted(zip(*table.to_pydict().values(), strict=True)) == [(1, 3), (2, 5)]


def test_tables_in_object_storage_have_vectors_too(s3: Storage) -> None:
    merge(s3, 1, numbers(500))
    merge(s3, 2, changed(range(0, 500, 50)))
    append(s3, 3, changed([1_000]))
    before = viewed(s3).sort_by("id")
    assert before.num_rows == 501
    merge(s3, 4, changed(range(100)))
    maintain.tidy(s3, PLACE, keep_hours=24)
    assert [f.deleted for f in active(s3)] == [0]
    assert viewed(s3).num_rows == 501
    assert read.maximum(s3, PLACE, "id") == "1000"


def active(storage: Storage) -> list[replay.DataFile]:
    table = log.open_table(storage, PLACE)
    assert table is not None
    return log.files_of(storage, PLACE, table)


def vector_files(storage: Storage) -> list[Path]:
    return list(Path(storage.path(PLACE)).glob("deletion_vector_*.bin"))
