"""Values that no table can hold, by the three policies of type_mapping.md rule 8, for both readers."""

from decimal import Decimal

import pyarrow as pa
import pytest

from hedgerow.connectors.contract import BadValues, Cursor, Loss, Reading, ReadRequest
from hedgerow.connectors.kits.sql import losses, pg_catalog, pg_plan
from hedgerow.core.errors import BadDataError
from tests.connectors.kits.sql.reading import ANYWHERE, POSTGRES, choose_reader
from tests.support.postgres import PostgresDatabase

MADE = """
    create table t (id int, price numeric(5,2) not null, n numeric(5,2), day date, at timestamptz, a int[], ok text);
    insert into t values (1, 1, 1, '2024-01-01', '2024-01-01 00:00+00', '{1}', 'x'),
      (2, 'NaN', null, null, null, null, null),
      (3, 3, 'NaN', 'infinity', '294276-12-31 23:59:59+00', '[0:1]={5,6}', 'z');
"""


@pytest.fixture(params=["fast", "rows"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_reader(monkeypatch, request.param)


def read(database: PostgresDatabase, bad_values: BadValues, key: tuple[str, ...] = ()) -> tuple[pa.Table, Reading]:
    request = ReadRequest("t", key=key, bad_values=bad_values)
    with POSTGRES.read(database.settings(), ANYWHERE, request) as reading:
        return pa.Table.from_batches(list(reading.batches), reading.schema), reading


def test_by_default_they_are_null_and_counted_with_a_sample_of_keys(pg_database: PostgresDatabase) -> None:
    pg_database.execute(MADE)
    rows, reading = read(pg_database, "null_and_count")
    assert rows.column_names == ["id", "price", "n", "day", "at", "a", "ok"]
    assert rows["price"].to_pylist() == [Decimal("1.00"), None, Decimal("3.00")]
    assert rows["a"].to_pylist() == ["[1]", None, "[5,6]"]
    found = {name: (loss.count, loss.sample) for name, loss in reading.losses.items()}
    one = (1, ["id = 3"])
    assert found == {"price": (1, ["id = 2"]), "n": one, "day": one, "at": one, "a": one}


def test_their_text_is_kept_beside_them_when_asked_for(pg_database: PostgresDatabase) -> None:
    pg_database.execute(MADE)
    rows, reading = read(pg_database, "keep_text")
    assert rows.column_names[7:] == ["price__raw", "n__raw", "day__raw", "at__raw", "a__raw"]
    first, second, third = (
        dict(zip(rows.column_names[7:], list(row.values())[7:], strict=True)) for row in rows.to_pylist()
    )
    assert set(first.values()) == {None}
    assert second == {"price__raw": "NaN", "n__raw": None, "day__raw": None, "at__raw": None, "a__raw": None}
    assert third == {
        "price__raw": None,
        "n__raw": "NaN",
        "day__raw": "infinity",
        "at__raw": "294276-12-31 23:59:59+00",
        "a__raw": "[0:1]={5,6}",
    }
    assert rows.column("price").null_count == 1
    assert {name: loss.count for name, loss in reading.losses.items()} == dict.fromkeys(
        ("price", "n", "day", "at", "a"), 1
    )


def test_a_table_without_any_has_the_columns_for_their_text_all_the_same(pg_database: PostgresDatabase) -> None:
    pg_database.execute('create table t (day date, "day__raw" int, "day__raw_2" int, v int)')
    rows, _ = read(pg_database, "keep_text")
    assert rows.column_names == ["day", "day__raw", "day__raw_2", "v", "day__raw_3"]


@pytest.mark.parametrize("column", ["price", "n", "day", "at", "a"])
def test_one_is_enough_to_fail_when_none_may_be_lost(pg_database: PostgresDatabase, column: str) -> None:
    pg_database.execute(MADE)
    others = [name for name in ("price", "n", "day", "at", "a") if name != column]
    pg_database.execute("".join(f"alter table t drop column {name};" for name in others))
    with pytest.raises(
        BadDataError, match=f'Column "{column}" of table "t".*first in the row with id = [23]'
    ) as caught:
        read(pg_database, "fail")
    assert "bad_values" in caught.value.hint


def test_nothing_fails_where_nothing_is_lost(pg_database: PostgresDatabase) -> None:
    pg_database.execute(MADE + "delete from t where id > 1")
    rows, reading = read(pg_database, "fail")
    assert (rows.num_rows, reading.losses) == (1, {})


def test_samples_are_few_and_short_and_name_the_place_where_there_is_no_key(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table t (k text, day date);
        insert into t select repeat('k', 500) || i, 'infinity' from generate_series(1, 9) i;
    """)
    _, reading = read(pg_database, "null_and_count", key=("k", "day"))
    assert reading.losses["day"].count == 9
    assert reading.losses["day"].sample == ["k = " + "k" * 96] * losses.SAMPLES
    _, reading = read(pg_database, "null_and_count")
    assert reading.losses["day"].sample == [f"place {n}" for n in range(1, 6)]


def test_losses_of_more_columns_than_a_query_may_have_are_found(pg_database: PostgresDatabase) -> None:
    arrays = ("'{1}'", "'[0:0]={1}'")
    pg_database.execute(f"create view t as select {', '.join(f'{arrays[n % 2]}::int[] as c{n}' for n in range(1000))}")
    rows, reading = read(pg_database, "keep_text")
    assert (rows.num_columns, len(reading.losses)) == (2000, 500)
    assert rows["c999__raw"].to_pylist() == ["[0:0]={1}"]


def test_nulls_of_an_heir_that_may_be_null_are_not_taken_for_lost(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table t (n numeric(5,2) not null); create table heir () inherits (t);
        alter table heir alter n drop not null; insert into heir values (null);
    """)
    assert read(pg_database, "null_and_count")[1].losses == {}


def test_a_cursor_read_keeps_the_text_too(pg_database: PostgresDatabase) -> None:
    pg_database.execute(MADE)
    request = ReadRequest("t", Cursor("id", "integer", "2"), bad_values="keep_text")
    with POSTGRES.read(pg_database.settings(), ANYWHERE, request) as reading:
        rows = pa.Table.from_batches(list(reading.batches), reading.schema)
    assert rows["day__raw"].to_pylist() == ["infinity"]
    assert isinstance(reading.losses["day"], Loss)


def test_a_column_that_bears_the_name_of_the_whole_row_does_not_hide_its_width(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table t (s int, doc text);
        insert into t select 1, repeat(md5(i::text), 3000) from generate_series(1, 20) i;
    """)
    with pg_database.connect() as connection:
        assert pg_plan._sampled_width(connection, pg_catalog.relations(connection, "public", "t")[0]) > 90_000
