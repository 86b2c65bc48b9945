"""How times at the edges of what a table holds are written in answers."""

import duckdb
import pyarrow as pa
import pytest

from hedgerow.lake import results

LAST = 2**63 - 2
BEFORE_CHRIST = -62_167_219_200_000_001
"""A microsecond before the year 0001 BC began."""


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "1970-01-01T00:00:00{}"),
        (LAST, "294247-01-10T04:00:54.775806{}"),
        (BEFORE_CHRIST, "0002-12-31T23:59:59.999999{} BC"),
        (-210_866_803_200_000_000, "4714-11-24T00:00:00{} BC"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00{}"),
    ],
)
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_are_exact_to_the_microsecond_in_every_year(number: int, text: str, zone: str | None) -> None:
    assert answered(pa.array([number], pa.int64()).view(pa.timestamp("us", zone))) == text.format("Z" if zone else "")


@pytest.mark.parametrize(
    ("days", "text"), [(-719_163, "0001-12-31 BC"), (-719_162, "0001-01-01"), (2_145_042_905, "5874897-12-31")]
)
def test_dates_before_christ_say_so_at_the_end(days: int, text: str) -> None:
    assert answered(pa.array([days], pa.int32()).view(pa.date32())) == text


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ"])
def test_infinity_and_null_are_null(kind: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        values = f"CAST('infinity' AS {kind}), CAST('-infinity' AS {kind}), CAST(NULL AS {kind})"
        assert results.fetch(connection, f"SELECT {values}", 1)[2] == [[None, None, None]]


def answered(values: pa.Array) -> object:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("t", pa.table({"v": values}))
        return results.fetch(connection, "SELECT v FROM t", 1)[2][0][0]
