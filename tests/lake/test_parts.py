import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hedgerow.lake.parts import PartWriter
from hedgerow.lake.storage import Storage


def written(storage: Storage, table: pa.Table) -> tuple[Path, dict[str, Any]]:
    """The one file that a table gives, and its statistics."""
    with PartWriter(storage, "t", table.schema) as parts:
        for batch in table.to_batches():
            parts.write(batch)
        (file,) = parts.close()
    path = Path(storage.path("t"), file.path)
    assert file.size == path.stat().st_size
    return path, file.stats


def encodings(path: Path) -> dict[str, set[str]]:
    group = pq.read_metadata(path).row_group(0)
    return {group.column(i).path_in_schema: set(group.column(i).encodings) for i in range(group.num_columns)}


def test_only_columns_whose_values_repeat_get_a_dictionary(storage: Storage) -> None:
    count = 5_000
    table = pa.table(
        {
            "id": range(count),
            "price": pa.array([Decimal(n) for n in range(count)], pa.decimal128(18, 2)),
            "state": ["new", "paid"] * (count // 2),
            "note": [f"note {n}" for n in range(count)],
            "long": ["x" * 500] * count,
            "flag": [True, False] * (count // 2),
        }
    )
    path, _stats = written(storage, table)
    found = encodings(path)
    assert {name for name, used in found.items() if "RLE_DICTIONARY" in used} == {"state"}
    assert {name for name, used in found.items() if "DELTA_BINARY_PACKED" in used} == {"id", "price"}
    assert pq.read_table(path).equals(table)


def test_statistics_tell_rows_nulls_and_true_bounds(storage: Storage) -> None:
    noon = dt.datetime(2026, 1, 31, 12, 0, 0, 1234, tzinfo=dt.UTC)
    table = pa.table(
        {
            "n": [3, None, -1],
            "s": ["b", "a", None],
            "d": [Decimal("1.10"), Decimal("2.25"), None],
            "day": [dt.date(2026, 1, 31), dt.date(1, 1, 1), None],
            "at": pa.array([noon, noon, None], pa.timestamp("us", "UTC")),
            "wall": pa.array([noon.replace(tzinfo=None)] * 3, pa.timestamp("us")),
        }
    )
    _path, stats = written(storage, table)
    assert stats["numRecords"] == 3
    assert stats["nullCount"] == {"n": 1, "s": 1, "d": 1, "day": 1, "at": 1, "wall": 0}
    low, high = stats["minValues"], stats["maxValues"]
    assert (low["n"], low["s"], low["d"], low["day"]) == (-1, "a", 1.1, "0001-01-01")
    assert (high["n"], high["s"], high["d"], high["day"]) == (3, "b", 2.25, "2026-01-31")
    assert (low["at"], high["at"]) == ("2026-01-31T12:00:00.001Z", "2026-01-31T12:00:00.002Z")
    assert (low["wall"], high["wall"]) == ("2026-01-31T12:00:00.001", "2026-01-31T12:00:00.002")


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.0, float("nan")]),
        pa.array(["x" * 65]),
        pa.array([Decimal("1234567890123456.78")], pa.decimal128(38, 2)),
        pa.array([2**62], pa.timestamp("us")),
        pa.array([3_000_000], pa.date32()),
        pa.array([b"\xff"]),
        pa.array([True]),
        pa.array([None], pa.int64()),
    ],
    ids=str,
)
def test_bounds_that_would_not_be_exact_are_left_out(storage: Storage, values: pa.Array) -> None:
    _path, stats = written(storage, pa.table({"c": values}))
    assert (stats["minValues"], stats["maxValues"], stats["numRecords"]) == ({}, {}, len(values))


def test_only_the_first_columns_and_the_key_have_statistics(storage: Storage) -> None:
    table = pa.table({f"c{n}": [n] for n in range(50)})
    with PartWriter(storage, "t", table.schema, ["c40"]) as parts:
        parts.write(table.to_batches()[0])
        (file,) = parts.close()
    assert set(file.stats["minValues"]) == {f"c{n}" for n in [*range(32), 40]}
