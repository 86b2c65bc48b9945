"""Every type of PostgreSQL: each value arrives exactly, or as a null that is counted (type_mapping.md §4, §13)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from hedgerow.connectors.contract import Cursor, Reading, ReadRequest
from tests.connectors.kits.sql.reading import (
    ANYWHERE,
    POSTGRES,
    choose_reader,
    let_the_server_read,
    needs_extension,
    read_all,
)
from tests.support.postgres import PostgresDatabase, PostgresServer


@dataclass(frozen=True)
class Case:
    """A column type, the stored type, and values as SQL with what arrives (times as numbers of their unit)."""

    declared: str
    stored: pa.DataType
    values: dict[str, Any]


def days(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def micros(text: str) -> int:
    return (
        int((datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
        * 1_000_000
    )


def same(*texts: str) -> dict[str, Any]:
    """Values that arrive as they are written."""
    return {f"'{text}'": text for text in texts}


INSTANT = pa.timestamp("us", "UTC")
ALL_BYTES = "".join(f"{byte:02x}" for byte in range(256))
CASES = [
    Case("boolean", pa.bool_(), {"true": True, "false": False}),
    Case("smallint", pa.int16(), {"-32768": -32768, "32767": 32767, "0": 0}),
    Case("integer", pa.int32(), {"-2147483648": -(2**31), "2147483647": 2**31 - 1}),
    Case("bigint", pa.int64(), {"-9223372036854775808": -(2**63), "9223372036854775807": 2**63 - 1}),
    Case("bigint", pa.int64(), {"9007199254740993": 2**53 + 1}),
    Case("oid", pa.int64(), {"0": 0, "4294967295": 2**32 - 1}),
    Case("real", pa.float32(), {"1.5": 1.5, "'Infinity'": math.inf, "'-Infinity'": -math.inf}),
    Case("float8", pa.float64(), {"0.1": 0.1, "1e308": 1e308, "5e-324": 5e-324, "'Infinity'": math.inf}),
    Case(
        "numeric(18,4)", pa.decimal128(18, 4), {f"{v}": Decimal(v) for v in ("12345678901234.5678", "0.0000", "0.0001")}
    ),
    Case(
        "numeric(18,4)", pa.decimal128(18, 4), {"-99999999999999.9999": Decimal("-99999999999999.9999"), "'NaN'": None}
    ),
    Case("numeric(38,10)", pa.decimal128(38, 10), {f"{v}": Decimal(v) for v in ("1" * 28 + ".0123456789", "-1.5")}),
    Case("numeric(38,0)", pa.decimal128(38, 0), {"9" * 38: Decimal("9" * 38)}),
    Case("numeric(3)", pa.decimal128(3, 0), {"-999": Decimal(-999)}),
    Case(
        "numeric(5,-2)",
        pa.decimal128(7, 0),
        {"1234567": Decimal(1234600), "-9999900": Decimal(-9999900), "'NaN'": None},
    ),
    Case("numeric(2,4)", pa.decimal128(4, 4), {"0.0099": Decimal("0.0099")}),
    Case("numeric", pa.string(), same("0.1", "1.10", "NaN", "Infinity", "9" * 100 + ".5", "0.000000000000000000")),
    Case("numeric", pa.string(), {"'1e3'": "1000"}),
    Case("numeric(39,1)", pa.string(), same("9" * 38 + ".1", "NaN")),
    Case("numeric(76,10)", pa.string(), {"1": "1.0000000000"}),
    Case(
        "money",
        pa.decimal128(19, 2),
        {"'-92233720368547758.08'": Decimal("-92233720368547758.08"), "1.5": Decimal("1.50")},
    ),
    Case("xid8", pa.decimal128(20, 0), {"'18446744073709551615'": Decimal(2**64 - 1)}),
    Case("xid", pa.string(), same("4294967295")),
    Case("text", pa.string(), same("", " ", "00123", "héllo 漢字 🔔", 'tab\t line\n "q" {} \\', "x" * 10_000)),
    Case("varchar(20)", pa.string(), same("", " pad ", "00123", "🔔")),
    Case("name", pa.string(), same("pg_class")),
    Case("char(5)", pa.string(), {"'ab'": "ab   ", "''": "     "}),
    Case('"char"', pa.string(), {"'x'": "x", "''": "", "'é'": "\\303"}),
    Case("bytea", pa.binary(), {"'\\x'": b"", f"'\\x{ALL_BYTES}'": bytes(range(256))}),
    Case("date", pa.date32(), {f"'{v}'": days(v) for v in ("2024-02-29", "0001-01-01", "9999-12-31", "1582-10-15")}),
    Case("date", pa.date32(), {"'4713-01-01 BC'": -2440550, "'5874897-12-31'": 2145042905}),
    Case("date", pa.date32(), {"'infinity'": None, "'-infinity'": None}),
    Case("timestamp", pa.timestamp("us"), {"'2024-02-29 13:14:15.123456'": micros("2024-02-29 13:14:15") + 123456}),
    Case("timestamp", pa.timestamp("us"), {"'1900-01-01'": micros("1900-01-01"), "'9999-12-31'": micros("9999-12-31")}),
    Case(
        "timestamp",
        pa.timestamp("us"),
        {"'4713-01-01 BC'": -210863520000000000, "'infinity'": None, "'-infinity'": None},
    ),
    Case(
        "timestamp", pa.timestamp("us"), {"'294247-01-10 04:00:54.775806'": 2**63 - 2, "'294276-12-31 23:59:59'": None}
    ),
    Case("timestamptz", INSTANT, {"'2024-10-27 02:30:00 Europe/Berlin'": micros("2024-10-27 01:30:00")}),
    Case("timestamptz", INSTANT, {"'2024-10-27 02:30:00+02'": micros("2024-10-27 00:30:00")}),
    Case(
        "timestamptz",
        INSTANT,
        {"'2024-01-01 00:00+14'": micros("2023-12-31 10:00"), "'2024-01-01 00:00-12'": micros("2024-01-01 12:00")},
    ),
    Case("timestamptz", INSTANT, {"'infinity'": None, "'-infinity'": None, "'294276-12-31 23:59:59+00'": None}),
    Case("time", pa.string(), {"'13:14:15.120000'": "13:14:15.12", **same("24:00:00", "00:00:00")}),
    Case("timetz", pa.string(), same("13:14:15.5+05:30")),
    Case("interval", pa.string(), {"'1 mon -1 day 00:00:00.000001'": "P1M-1DT0.000001S", "'10000 years'": "P10000Y"}),
    Case("uuid", pa.string(), {"'0E37DF36-f698-11e6-8dd4-cb9ced3df976'": "0e37df36-f698-11e6-8dd4-cb9ced3df976"}),
    Case("json", pa.string(), same('{"b":1,  "a":1.10, "a":2}', "null", "9" * 30, '"\\u0000"')),
    Case("jsonb", pa.string(), same('{"b": 1.10, "n": 123456789012345678901234567890}', "null")),
    Case("int[]", pa.string(), {"'{1,2,null}'": "[1,2,null]", "'{}'": "[]", "'{{1,2},{3,null}}'": "[[1,2],[3,null]]"}),
    Case("int[]", pa.string(), {"'[0:1]={5,6}'": "[5,6]"}),
    Case("text[]", pa.string(), {"""array['a', 'b "c"', null, '']""": '["a","b \\"c\\"",null,""]'}),
    Case("numeric[]", pa.string(), {"array[1.10, 'NaN', 1e30 + .1]": f'[1.10,"NaN",1{"0" * 30}.1]'}),
    Case("jsonb[]", pa.string(), {"""array['{"a":1}'::jsonb, null]""": '[{"a": 1},null]'}),
    Case("int2vector", pa.string(), {"'5 6'": "[5,6]"}),
    Case("int4range", pa.string(), {"'(1,5]'": "[2,6)", **same("empty")}),
    Case("int4multirange", pa.string(), same("{[1,2),[5,7)}")),
    Case("tstzrange", pa.string(), {"'[2024-01-01 00:00:00+02,)'": '["2023-12-31 22:00:00+00",)'}),
    Case("bit(1)", pa.string(), same("1")),
    Case("bit(64)", pa.string(), same("10" * 32)),
    Case("varbit", pa.string(), same("", "0001")),
    Case("inet", pa.string(), same("10.0.0.1", "10.0.0.1/8", "::1")),
    Case("cidr", pa.string(), same("10.0.0.0/8")),
    Case("macaddr", pa.string(), same("08:00:2b:01:02:03")),
    Case("tsvector", pa.string(), {"'a b'": "'a' 'b'"}),
    Case("point", pa.string(), same("(1,2.5)")),
    Case("pg_lsn", pa.string(), same("16/B374D848")),
    Case("tid", pa.string(), same("(1,2)")),
    Case("regclass", pa.string(), same("pg_class")),
]
ROWS = max(len(case.values) for case in CASES) + 1
BOUNDS_GONE = {"'[0:1]={5,6}'"}
"""Values that arrive without their bounds."""
COPIES = 600
"""So often the same rows follow each other, so that they come in several batches."""


@pytest.fixture(params=["fast", "rows"])
def each_reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read by both readers."""
    choose_reader(monkeypatch, request.param)


@pytest.fixture(scope="module", params=["fast", "rows"])
def arrived(postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[tuple[pa.Table, Reading, int]]:
    """All cases as columns of one table, each with nulls after its values; what was read, and in how many batches."""
    postgres.start()
    database = postgres.create_database()
    columns = ", ".join(f"v{place} {case.declared}" for place, case in enumerate(CASES))
    padded = [[*case.values, *["null"] * (ROWS - len(case.values))] for case in CASES]
    rows = ", ".join(f"({n}, {', '.join(values[n] for values in padded)})" for n in range(ROWS))
    database.execute(f"create table one (n int, {columns}); insert into one values {rows}")
    database.execute(
        f"create table t as select * from one, generate_series(1, {COPIES}) copy order by copy, n; analyze t"
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        choose_reader(monkeypatch, request.param)
        with POSTGRES.read(database.settings(), ANYWHERE, ReadRequest("t", memory_mib=100)) as reading:
            batches = list(reading.batches)
    yield (
        pa.Table.from_batches(batches, reading.schema).sort_by([("copy", "ascending"), ("n", "ascending")]),
        reading,
        len(batches),
    )
    database.drop()


@pytest.mark.parametrize("place", range(len(CASES)), ids=[f"{c.declared}-{'-'.join(c.values)[:20]}" for c in CASES])
def test_every_value_arrives_as_it_is_or_is_counted(arrived: tuple[pa.Table, Reading, int], place: int) -> None:
    case, (rows, reading, batches) = CASES[place], arrived
    values = rows[f"v{place}"]
    assert batches > 1
    assert values.type == case.stored
    if pa.types.is_temporal(case.stored):
        values = values.cast(pa.int32() if pa.types.is_date32(case.stored) else pa.int64())
    wanted = [*case.values.values(), *[None] * (ROWS - len(case.values))]
    assert values.to_pylist() == wanted * COPIES
    lost = reading.losses.get(f"v{place}")
    gone = sum(value is None or literal in BOUNDS_GONE for literal, value in case.values.items())
    assert (lost.count if lost else 0) == gone * COPIES


@pytest.mark.usefixtures("each_reader")
def test_floats_keep_nan_and_the_sign_of_zero(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (a real, b float8); insert into t values ('NaN', 'NaN'), ('-0', '-0')")
    rows, reading = read_all(pg_database, "t")
    for values in rows.columns:
        assert math.isnan(values[0].as_py())
        assert math.copysign(1, values[1].as_py()) == -1
    assert reading.losses == {}


@pytest.mark.usefixtures("each_reader")
def test_losses_name_their_column_and_the_reason(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table t (a numeric(5,2) not null, b numeric(5,2), c date, fine numeric(5,2) not null);
        insert into t select 'NaN', case when i > 2 then 'NaN' end::numeric, 'infinity', 0 from generate_series(1, 5) i;
    """)

    rows, reading = read_all(pg_database, "t")

    assert {name: loss.count for name, loss in reading.losses.items()} == {"a": 5, "b": 3, "c": 5}
    assert "NaN" in reading.losses["a"].reason
    assert "infinite" in reading.losses["c"].reason
    assert rows["fine"].to_pylist() == [Decimal("0.00")] * 5


@pytest.mark.usefixtures("each_reader")
def test_nan_hides_neither_in_views_nor_behind_the_first_batch(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create view v as select i, case when i % 1000 = 0 then 'NaN'::numeric(9,3) else 1::numeric(9,3) end as x
          from generate_series(1, 200000) i;
    """)
    rows, reading = read_all(pg_database, "v")
    assert rows["x"].null_count == reading.losses["x"].count == 200


@pytest.mark.usefixtures("each_reader")
def test_user_made_types_arrive(pg_database: PostgresDatabase) -> None:
    needs_extension(pg_database, "hstore", "citext")
    pg_database.execute("""
        create type mood as enum ('sad', 'so "so"'); create type pair as (a int, b numeric);
        create domain whole as int check (value > 0); create domain inner_price as numeric(10,2);
        create domain price as inner_price not null; create domain tags as text[];
        create schema ext; create extension ltree schema ext;
        create table t (m mood, p pair, w whole, c price, g tags, h hstore, i citext, l ext.ltree, mm mood[],
          pp pair[]);
        insert into t values ('so "so"', (1, 1.10), 5, 2.5, '{x,null}', 'a=>1, b=>null', 'MiXed', 'a.b',
          '{sad}', array[(1, null)::pair]);
    """)

    rows, _ = read_all(pg_database, "t")

    (row,) = rows.to_pylist()
    assert row == {
        "m": 'so "so"', "p": '{"a":1,"b":1.10}', "w": 5, "c": Decimal("2.50"), "g": '["x",null]',
        "h": '{"a": "1", "b": null}', "i": "MiXed", "l": "a.b", "mm": '["sad"]', "pp": '[{"a":1,"b":null}]',
    }  # fmt: skip
    assert rows.schema.field("w").type == pa.int32()
    assert rows.schema.field("c").type == pa.decimal128(10, 2)


@pytest.mark.usefixtures("each_reader")
def test_xml_arrives_as_written(pg_database: PostgresDatabase) -> None:
    try:
        pg_database.execute("create table t (v xml); insert into t values ('<a>ü</a>')")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this PostgreSQL was built without XML")
    assert read_all(pg_database, "t")[0]["v"].to_pylist() == ["<a>ü</a>"]


@pytest.mark.usefixtures("each_reader")
def test_labels_added_to_an_enum_later_arrive(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create type mood as enum ('a'); create table t (m mood); insert into t values ('a')")
    assert read_all(pg_database, "t")[0]["m"].to_pylist() == ["a"]
    pg_database.execute("alter type mood add value 'z' before 'a'")
    pg_database.execute("insert into t values ('z')")
    assert read_all(pg_database, "t")[0]["m"].to_pylist() == ["a", "z"]


@pytest.mark.usefixtures("each_reader")
def test_columns_widened_between_reads_have_the_new_type(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (v int); insert into t values (1)")
    assert read_all(pg_database, "t")[0].schema.field("v").type == pa.int32()
    pg_database.execute("alter table t alter v type bigint; insert into t values (9007199254740993)")
    rows, _ = read_all(pg_database, "t")
    assert rows.schema.field("v").type == pa.int64()
    assert rows["v"].to_pylist() == [1, 9007199254740993]


@pytest.mark.usefixtures("each_reader")
def test_a_foreign_table_is_read_as_it_declares_itself(pg_database: PostgresDatabase, tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    path.write_text("1.25,2024-01-01\nNaN,infinity\n")
    let_the_server_read(path)
    needs_extension(pg_database, "file_fdw")
    pg_database.execute(f"""
        create server files foreign data wrapper file_fdw;
        create foreign table t (v numeric(5,2), d date) server files options (filename '{path}', format 'csv');
    """)

    rows, reading = read_all(pg_database, "t")

    assert rows.to_pylist() == [{"v": Decimal("1.25"), "d": date(2024, 1, 1)}, {"v": None, "d": None}]
    assert {name: loss.count for name, loss in reading.losses.items()} == {"v": 1, "d": 1}


@pytest.mark.usefixtures("each_reader")
def test_a_database_that_knows_no_encoding_gives_text(postgres: PostgresServer) -> None:
    name = "sql_ascii_test"
    postgres.maintenance().execute(
        f"create database {name} template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'"
    )
    database = PostgresDatabase(postgres, name)
    try:
        database.execute("create table t (n int, v text)")
        database.execute(r"insert into t values (1, E'caf\xe9'), (2, E'caf\xc3\xa9'), (3, null)")
        rows, reading = read_all(database, "t")
    finally:
        database.drop()
    assert rows["v"].to_pylist() == ["caf\N{REPLACEMENT CHARACTER}", "café", None]
    assert reading.losses["v"].count == 1


@pytest.mark.usefixtures("each_reader")
def test_a_latin_database_is_converted(postgres: PostgresServer) -> None:
    name = "latin_test"
    postgres.maintenance().execute(
        f"create database {name} template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'"
    )
    database = PostgresDatabase(postgres, name)
    try:
        database.execute("create table t (v text); insert into t values (chr(233))")
        rows, _ = read_all(database, "t")
    finally:
        database.drop()
    assert rows["v"].to_pylist() == ["é"]


@pytest.mark.usefixtures("each_reader")
def test_a_roles_own_settings_change_nothing(pg_database: PostgresDatabase) -> None:
    role = f"odd_{pg_database.name}"
    pg_database.execute(f"""
        create role {role} superuser login password 'x';
        alter role {role} set datestyle = 'German'; alter role {role} set intervalstyle = 'sql_standard';
        alter role {role} set timezone = 'Asia/Tokyo'; alter role {role} set bytea_output = 'escape';
        alter role {role} set extra_float_digits = -15; alter role {role} set statement_timeout = '1ms';
        alter role {role} set standard_conforming_strings = off; alter role {role} set search_path = nowhere;
        create table t (i interval, r daterange, t timestamptz, "it\\s 'q'" text, b bytea[], f float8[]);
        insert into t values ('1 day', '[2024-01-02,2024-02-03)', '2024-01-01 00:00+00', 'x\\y', array['\\x00'::bytea],
          array[0.1::float8 + 0.2]);
    """)
    try:
        settings = pg_database.settings(user=role, password="x")
        after = Cursor("it\\s 'q'", "integer", "w\\'")
        with POSTGRES.read(settings, ANYWHERE, ReadRequest("t", after)) as reading:
            rows = pa.Table.from_batches(list(reading.batches), reading.schema)
    finally:
        pg_database.execute(f"drop role {role}")
    assert rows.to_pylist() == [
        {
            "i": "P1D", "r": "[2024-01-02,2024-02-03)", "t": datetime(2024, 1, 1, tzinfo=UTC), "it\\s 'q'": "x\\y",
            "b": '["\\\\x00"]', "f": "[0.30000000000000004]",
        }
    ]  # fmt: skip
