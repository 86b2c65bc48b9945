import datetime as dt
import os
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from hedgerow.lake import maintain, read
from hedgerow.lake.storage import STAGED, Storage
from tests.lake.tables import PLACE, append, merge, replace

EIGHT = dt.datetime(2026, 1, 31, 8, tzinfo=dt.UTC)
ROWS = pa.table({"id": [1, 2], "at": pa.array([EIGHT, None], pa.timestamp("us", "UTC"))})


def test_there_is_no_state_where_there_is_no_table(storage: Storage) -> None:
    assert read.state(storage, PLACE) is None
    assert read.files(storage, PLACE) is None
    assert read.maximum(storage, PLACE, "id") is None


def test_the_state_tells_version_rows_columns_and_the_facts_of_the_last_run(storage: Storage) -> None:
    replace(storage, 3, ROWS, cursor="2026-01-31")
    columns = [
        {"name": "id", "type": "integer", "stored": "BIGINT"},
        {"name": "at", "type": "datetime", "stored": "TIMESTAMP WITH TIME ZONE"},
    ]
    assert read.state(storage, PLACE) == read.State(0, 2, columns, "run-3", 3, "2026-01-31")
    append(storage, 4, ROWS)
    assert read.state(storage, PLACE) == read.State(1, 4, columns, "run-4", 4, None)


@pytest.mark.parametrize("leftover", ["data", "staged commit"])
def test_the_rest_of_a_creation_that_was_cut_off_is_no_table_and_no_hindrance(storage: Storage, leftover: str) -> None:
    log = Path(storage.path(PLACE), "_delta_log")
    log.mkdir(parents=True)
    (log.parent / "part-1.parquet").write_bytes(b"PAR1")
    if leftover == "staged commit":
        (log / f".1{STAGED}").write_text('{"commitInfo":')
    assert read.state(storage, PLACE) is None
    replace(storage, 1, ROWS)
    state = read.state(storage, PLACE)
    assert state is not None
    assert state.row_count == 2


def test_a_snapshot_gives_files_and_columns_for_duckdb(storage: Storage) -> None:
    replace(storage, 1, ROWS)
    merge(storage, 2, pa.table({"id": [3], "total": pa.array([Decimal("1.5")], pa.decimal128(5, 1))}))
    snapshot = read.files(storage, PLACE)
    assert snapshot is not None
    assert snapshot.columns == (
        read.Column("id", "BIGINT", "integer"),
        read.Column("at", "TIMESTAMP WITH TIME ZONE", "datetime"),
        read.Column("total", "DECIMAL(5,1)", "decimal"),
    )
    assert (snapshot.version, snapshot.row_count) == (1, 3)
    assert all(Path(uri).parent == Path(storage.path(PLACE)) and Path(uri).exists() for uri in snapshot.uris)


@pytest.mark.parametrize(
    ("values", "greatest"),
    [
        (pa.array([1, None, 7]), "7"),
        (pa.array([Decimal("1.50"), Decimal("-2.00")], pa.decimal128(5, 2)), "1.50"),
        (pa.array([dt.date(2026, 1, 31), dt.date(2025, 1, 1)]), "2026-01-31"),
        (pa.array([EIGHT.replace(tzinfo=None, microsecond=5)], pa.timestamp("us")), "2026-01-31 08:00:00.000005"),
        (pa.array([EIGHT], pa.timestamp("us", "UTC")), "2026-01-31 08:00:00.000000Z"),
        (pa.array([None], pa.int64()), None),
        (pa.array([], pa.int64()), None),
    ],
    ids=str,
)
def test_the_greatest_value_of_a_column_is_found_over_all_files(
    storage: Storage, values: pa.Array, greatest: str | None
) -> None:
    for fence, value in enumerate([values, values.slice(0, 0), values], start=1):
        append(storage, fence, pa.table({"c": value}))
    assert read.maximum(storage, PLACE, "c") == greatest
    assert read.maximum(storage, PLACE, "other") is None


def test_the_state_outlives_checkpoints_and_the_clean_up_of_the_log(storage: Storage) -> None:
    for fence in range(1, 13):
        append(storage, fence, ROWS, cursor=f"cursor-{fence}")
    log = Path(storage.path(PLACE), "_delta_log")
    before = read.state(storage, PLACE)
    assert before is not None
    maintain.tidy(storage, PLACE, keep_hours=24)
    for entry in log.iterdir():
        age_by_a_month(entry)
    maintain.tidy(storage, PLACE, keep_hours=24)
    assert len(list(log.glob("*.json"))) <= 2
    after = read.state(storage, PLACE)
    assert after is not None
    assert (after.row_count, after.run, after.fence, after.cursor) == (24, "run-12", 12, "cursor-12")


def age_by_a_month(path: Path) -> None:
    then = path.stat().st_mtime - 31 * 86400
    os.utime(path, (then, then))
