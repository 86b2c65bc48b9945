"""Reading real tables: every value exactly or as a counted loss, one snapshot, cursors, and a clean end."""

import json
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from hedgerow.connectors import registry
from hedgerow.connectors.contract import Cursor, CursorType, Reach, Reading, ReadRequest
from hedgerow.connectors.kits.sql import pg_plan
from hedgerow.core.errors import BadDataError, InterruptedReadError, MissingError, SourceQueryError
from tests.support.postgres import PostgresDatabase, PostgresServer

POSTGRES = registry.get("Postgres")
ANYWHERE = Reach()


def read_all(database: PostgresDatabase, table: str, cursor: Cursor | None = None) -> tuple[pa.Table, Reading]:
    with POSTGRES.read(database.settings(), ANYWHERE, ReadRequest(table, cursor)) as reading:
        rows = pa.Table.from_batches(list(reading.batches), reading.schema)
    return rows, reading


def column(database: PostgresDatabase, declared: str, *values: str) -> tuple[pa.ChunkedArray, int]:
    """A one-column table with these values as SQL (and a null last), read back in order; and the losses counted."""
    listed = ", ".join(f"({place}, {value})" for place, value in enumerate((*values, "null")))
    database.execute(f"drop table if exists c; create table c (n int, v {declared}); insert into c values {listed}")
    rows, reading = read_all(database, "c")
    assert rows["n"].to_pylist() == list(range(len(values) + 1))
    assert rows["v"][-1].as_py() is None
    return rows["v"].slice(0, len(values)), sum(loss.count for loss in reading.losses.values())


def days(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


# ---- types (type_mapping.md §4, §13) ---------------------------------------------------------------------------------

TEXTS = ("''", "' '", "'00123'", "'héllo 漢字 🔔'", "E'tab\\t line\\n \"q\" \\\\ {}'", "repeat('x', 100000)")
EXACT: list[tuple[str, pa.DataType, dict[str, Any]]] = [
    ("boolean", pa.bool_(), {"true": True, "false": False}),
    ("smallint", pa.int16(), {"-32768": -32768, "32767": 32767, "0": 0}),
    ("integer", pa.int32(), {"-2147483648": -(2**31), "2147483647": 2**31 - 1}),
    ("bigint", pa.int64(), {"-9223372036854775808": -(2**63), "9223372036854775807": 2**63 - 1, "9007199254740993": 2**53 + 1}),
    ("oid", pa.int64(), {"0": 0, "4294967295": 2**32 - 1}),
    ("real", pa.float32(), {"1.5": 1.5, "'-0'": -0.0, "'Infinity'": math.inf, "'-Infinity'": -math.inf}),
    ("float8", pa.float64(), {"0.1": 0.1, "1e308": 1e308, "5e-324": 5e-324, "'Infinity'": math.inf}),
    (
        "numeric(18,4)",
        pa.decimal128(18, 4),
        {"12345678901234.5678": Decimal("12345678901234.5678"), "-99999999999999.9999": Decimal("-99999999999999.9999"),
         "0": Decimal("0.0000"), "1e-4": Decimal("0.0001")},
    ),
    ("numeric(38,10)", pa.decimal128(38, 10), {"1234567890123456789012345678.0123456789": Decimal("1234567890123456789012345678.0123456789")}),
    ("numeric(38,0)", pa.decimal128(38, 0), {"9" * 38: Decimal("9" * 38)}),
    ("numeric(3)", pa.decimal128(3, 0), {"-999": Decimal(-999)}),
    ("numeric(5,-2)", pa.decimal128(7, 0), {"1234567": Decimal(1234600), "-9999900": Decimal(-9999900)}),
    ("numeric(2,4)", pa.decimal128(4, 4), {"0.0099": Decimal("0.0099")}),
    (
        "numeric",
        pa.string(),
        {"0.1": "0.1", "1.10": "1.10", "'1e3'": "1000", "'NaN'": "NaN", "'Infinity'": "Infinity", "'0e-18'": "0.000000000000000000",
         "9" * 100 + ".5": "9" * 100 + ".5"},
    ),
    ("numeric(39,1)", pa.string(), {"9" * 38 + ".1": "9" * 38 + ".1", "'NaN'": "NaN"}),
    ("numeric(76,10)", pa.string(), {"1": "1.0000000000"}),
    ("money", pa.decimal128(19, 2), {"'-92233720368547758.08'": Decimal("-92233720368547758.08"), "1234.5": Decimal("1234.50")}),
    ("xid8", pa.decimal128(20, 0), {"'18446744073709551615'": Decimal(2**64 - 1)}),
    ("text", pa.string(), {}),
    ("varchar(100000)", pa.string(), {}),
    ("name", pa.string(), {"'pg_class'": "pg_class"}),
    ("char(5)", pa.string(), {"'ab'": "ab   ", "''": "     "}),
    ('"char"', pa.string(), {"'x'": "x"}),
    ("bytea", pa.binary(), {"'\\x'": b"", "decode(string_agg_all(), 'hex')": bytes(range(256))}),
    (
        "date",
        pa.date32(),
        {"'2024-02-29'": days("2024-02-29"), "'0001-01-01'": days("0001-01-01"), "'9999-12-31'": days("9999-12-31"),
         "'4713-01-01 BC'": -2440550, "'5874897-12-31'": 2145042905, "'1582-10-15'": days("1582-10-15")},
    ),
    (
        "timestamp",
        pa.timestamp("us"),
        {"'2024-02-29 13:14:15.123456'": 1709212455123456, "'1900-01-01'": -2208988800000000,
         "'9999-12-31 23:59:59.999999'": 253402300799999999, "'4713-01-01 BC'": -210863520000000000,
         "'294247-01-10 04:00:54.775806'": 2**63 - 2},
    ),
    (
        "timestamptz",
        pa.timestamp("us", "UTC"),
        {"'2024-10-27 02:30:00 Europe/Berlin'": 1729992600000000, "'2024-10-27 02:30:00+02'": 1729989000000000,
         "'2024-01-01 00:00:00+14'": 1704016800000000, "'2024-01-01 00:00:00-12'": 1704110400000000},
    ),
    ("time", pa.string(), {"'13:14:15.120000'": "13:14:15.12", "'24:00:00'": "24:00:00", "'00:00'": "00:00:00"}),
    ("timetz", pa.string(), {"'13:14:15.5+05:30'": "13:14:15.5+05:30"}),
    ("interval", pa.string(), {"'1 mon -1 day 00:00:00.000001'": "P1M-1DT0.000001S", "'0'": "PT0S", "'10000 years'": "P10000Y"}),
    ("uuid", pa.string(), {"'0E37DF36-f698-11e6-8dd4-cb9ced3df976'": "0e37df36-f698-11e6-8dd4-cb9ced3df976"}),
    (
        "json",
        pa.string(),
        {"""'{"b":1,  "a":1.10, "a":2}'""": '{"b":1,  "a":1.10, "a":2}', "'null'": "null",
         "'" + "9" * 30 + "'": "9" * 30, """E'"\\\\u0000"'""": '"\\u0000"'},
    ),
    ("jsonb", pa.string(), {"""'{"b":1.10,"n":123456789012345678901234567890}'""": '{"b": 1.10, "n": 123456789012345678901234567890}', "'null'": "null"}),
    ("int[]", pa.string(), {"'{1,2,null}'": "[1,2,null]", "'{}'": "[]", "'{{1,2},{3,null}}'": "[[1,2],[3,null]]", "'[0:1]={5,6}'": "[5,6]"}),
    ("text[]", pa.string(), {"""array['a', 'b "c"', null, '']""": '["a","b \\"c\\"",null,""]'}),
    ("numeric[]", pa.string(), {"array[1.10, 123456789012345678901234567890.1, 'NaN']": '[1.10,123456789012345678901234567890.1,"NaN"]'}),
    ("jsonb[]", pa.string(), {"""array['{"a":1}'::jsonb, null]""": '[{"a": 1},null]'}),
    ("int4range", pa.string(), {"'(1,5]'": "[2,6)", "'empty'": "empty"}),
    ("int4multirange", pa.string(), {"'{[1,2),[5,7)}'": "{[1,2),[5,7)}"}),
    ("tstzrange", pa.string(), {"'[2024-01-01 00:00:00+02,)'": '["2023-12-31 22:00:00+00",)'}),
    ("bit(1)", pa.string(), {"b'1'": "1"}),
    ("bit(64)", pa.string(), {"b'" + "10" * 32 + "'": "10" * 32}),
    ("varbit", pa.string(), {"b''": "", "b'0001'": "0001"}),
    ("inet", pa.string(), {"'10.0.0.1'": "10.0.0.1", "'10.0.0.1/8'": "10.0.0.1/8", "'::1'": "::1"}),
    ("cidr", pa.string(), {"'10.0.0.0/8'": "10.0.0.0/8"}),
    ("macaddr", pa.string(), {"'08:00:2b:01:02:03'": "08:00:2b:01:02:03"}),
    ("xml", pa.string(), {"'<a>ü</a>'": "<a>ü</a>"}),
    ("tsvector", pa.string(), {"'a b'": "'a' 'b'"}),
    ("point", pa.string(), {"'(1,2.5)'": "(1,2.5)"}),
    ("pg_lsn", pa.string(), {"'16/B374D848'": "16/B374D848"}),
    ("tid", pa.string(), {"'(1,2)'": "(1,2)"}),
    ("xid", pa.string(), {"'4294967295'": "4294967295"}),
    ("regclass", pa.string(), {"'pg_class'": "pg_class"}),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "stored", "values"), EXACT, ids=[case[0] for case in EXACT])
def test_every_value_of_every_type_arrives_as_it_is(
    pg_database: PostgresDatabase, declared: str, stored: pa.DataType, values: dict[str, Any]
) -> None:
    pg_database.execute("""
        create function string_agg_all() returns text language sql immutable as
          $$ select string_agg(lpad(to_hex(i), 2, '0'), '' order by i) from generate_series(0, 255) i $$
    """)
    if not values:
        wanted = [pg_database.execute(f"select {text}::text")[0][0] for text in TEXTS]
        values = dict(zip(TEXTS, wanted, strict=True))

    arrived, lost = column(pg_database, declared, *values)

    assert arrived.type == stored
    if pa.types.is_temporal(stored):
        arrived = arrived.cast(pa.int32() if pa.types.is_date32(stored) else pa.int64())
    assert arrived.to_pylist() == list(values.values())
    assert lost == 0


def test_floats_keep_nan_and_the_sign_of_zero(pg_database: PostgresDatabase) -> None:
    for declared in ("real", "float8"):
        arrived, lost = column(pg_database, declared, "'NaN'", "'-0'")
        assert math.isnan(arrived[0].as_py())
        assert math.copysign(1, arrived[1].as_py()) == -1
        assert lost == 0


LOST = [
    ("numeric(18,4)", ["'NaN'", "0", "1.5"], [None, Decimal("0.0000"), Decimal("1.5000")]),
    ("numeric(5,-2)", ["'NaN'", "100"], [None, Decimal(100)]),
    ("date", ["'infinity'", "'-infinity'", "'2024-01-01'"], [None, None, date(2024, 1, 1)]),
    ("timestamp", ["'infinity'", "'-infinity'", "'2024-01-01'", "'294276-12-31 23:59:59'"],
     [None, None, datetime(2024, 1, 1), None]),  # noqa: DTZ001 - a wall clock
    ("timestamptz", ["'infinity'", "'-infinity'", "'2024-01-01 00:00+00'", "'294276-12-31 23:59:59+00'"],
     [None, None, datetime(2024, 1, 1, tzinfo=UTC), None]),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "values", "wanted"), LOST, ids=[case[0] for case in LOST])
def test_values_that_no_column_can_hold_become_null_and_are_counted(
    pg_database: PostgresDatabase, declared: str, values: list[str], wanted: list[Any]
) -> None:
    arrived, lost = column(pg_database, declared, *values)
    assert arrived.to_pylist() == wanted
    assert lost == wanted.count(None)


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


def test_nan_hides_neither_in_views_nor_behind_the_first_batch(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create view v as select i, case when i % 1000 = 0 then 'NaN'::numeric(9,3) else 1::numeric(9,3) end as x
          from generate_series(1, 200000) i;
    """)
    rows, reading = read_all(pg_database, "v")
    assert rows["x"].null_count == reading.losses["x"].count == 200


def test_user_made_types_arrive(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create type mood as enum ('sad', 'so "so"'); create type pair as (a int, b numeric);
        create domain whole as int check (value > 0); create domain inner_price as numeric(10,2);
        create domain price as inner_price not null; create domain tags as text[];
        create extension hstore; create extension citext; create schema ext; create extension ltree schema ext;
        create table t (m mood, p pair, w whole, c price, g tags, h hstore, i citext, l ext.ltree, mm mood[], pp pair[]);
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


def test_labels_added_to_an_enum_later_arrive(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create type mood as enum ('a'); create table t (m mood); insert into t values ('a')")
    assert read_all(pg_database, "t")[0]["m"].to_pylist() == ["a"]
    pg_database.execute("alter type mood add value 'z' before 'a'")
    pg_database.execute("insert into t values ('z')")
    assert read_all(pg_database, "t")[0]["m"].to_pylist() == ["a", "z"]


def test_columns_widened_between_reads_have_the_new_type(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (v int); insert into t values (1)")
    assert read_all(pg_database, "t")[0].schema.field("v").type == pa.int32()
    pg_database.execute("alter table t alter v type bigint; insert into t values (9007199254740993)")
    rows, _ = read_all(pg_database, "t")
    assert rows.schema.field("v").type == pa.int64()
    assert rows["v"].to_pylist() == [1, 9007199254740993]


def test_a_foreign_table_may_hold_other_than_it_declares(pg_database: PostgresDatabase, tmp_path: Any) -> None:
    path = tmp_path / "values.csv"
    path.write_text("1.25\n1.2567\n12345678\nNaN\n")
    for part in (path, *path.parents[:-1]):
        part.chmod(part.stat().st_mode | 0o055)
    pg_database.execute(f"""
        create extension file_fdw; create server files foreign data wrapper file_fdw;
        create foreign table t (v numeric) server files options (filename '{path}', format 'csv');
        update pg_attribute set atttypmod = (5 << 16 | 2) + 4 where attrelid = 't'::regclass and attname = 'v';
    """)

    rows, reading = read_all(pg_database, "t")

    assert rows["v"].to_pylist() == [Decimal("1.25"), None, None, None]
    assert reading.losses["v"].count == 3


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


# ---- shapes ----------------------------------------------------------------------------------------------------------

NAMES = [
    "Capital",
    "two words",
    "dot.ted",
    'quo"ted',
    "it's",
    "🦔",
    "select",
    "{}",
    "%s",
    "back\\slash",
    "$$",
    "c0",
    "ctid2",
]


def test_any_identifier_works(pg_database: PostgresDatabase) -> None:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    columns = ", ".join(f"{quoted(name)} int not null" for name in NAMES)
    for table in NAMES:
        pg_database.execute(f"create table {quoted(table)} ({columns}, primary key ({quoted('🦔')}))")
        pg_database.execute(f"insert into {quoted(table)} values ({', '.join(map(str, range(len(NAMES))))})")

    assert [table.name for table in POSTGRES.tables(pg_database.settings(), ANYWHERE)] == sorted(NAMES)
    for table in ("🦔", 'quo"ted', "$$", "{}", "back\\slash", "%s"):
        rows, reading = read_all(pg_database, table, Cursor('quo"ted', "integer"))
        assert rows.to_pylist() == [{name: place for place, name in enumerate(NAMES)}]
        assert reading.cursor_to == "3"
        assert POSTGRES.check_key(pg_database.settings(), ANYWHERE, table, ("two words", "%s"))


def test_names_that_differ_only_in_case_are_two(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table users ("Id" int, id text); create table "Users" (id int);
        insert into users values (1, 'one'); insert into "Users" values (2);
    """)
    assert read_all(pg_database, "users")[0].to_pylist() == [{"Id": 1, "id": "one"}]
    assert read_all(pg_database, "Users")[0].to_pylist() == [{"id": 2}]


def test_a_table_without_columns_has_no_batches(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (); insert into t default values")
    rows, reading = read_all(pg_database, "t")
    assert (rows.num_columns, reading.schema) == (0, pa.schema([]))


def test_an_empty_table_has_its_schema_and_no_rows(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (id int, at timestamptz)")
    rows, reading = read_all(pg_database, "t", Cursor("at", "timestamp"))
    assert rows.num_rows == 0
    assert rows.schema == pa.schema([("id", pa.int32()), ("at", pa.timestamp("us", "UTC"))])
    assert reading.cursor_to is None


@pytest.mark.parametrize("count", [500, 1000])
def test_very_many_columns_work(pg_database: PostgresDatabase, count: int) -> None:
    pg_database.execute(f"create table t ({', '.join(f'c{i} int' for i in range(count))})")
    pg_database.execute(f"insert into t values ({', '.join(map(str, range(count)))})")
    rows, _ = read_all(pg_database, "t")
    assert list(rows.to_pylist()[0].values()) == list(range(count))


def test_every_kind_of_relation_is_read_whole(pg_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pg_plan, "CHUNK_BYTES", 100_000)  # many ranges, also past the first part's end
    pg_database.execute(
        """
        create table base (id int primary key, pad text);
        insert into base select i, repeat('x', 50) from generate_series(1, 20000) i;
        create table heir () inherits (base);
        insert into heir select i, repeat('x', 50) from generate_series(20001, 50000) i;
        create table parted (id int, pad text) partition by range (id);
        create table parted_1 partition of parted for values from (1) to (5000);
        create table parted_2 partition of parted for values from (5000) to (50001) partition by range (id);
        create table parted_2_1 partition of parted_2 default;
        insert into parted select * from base;
        create view seen as select * from base; create materialized view kept as select * from parted;
        delete from base where id % 7 = 0; vacuum
    """.removesuffix("; vacuum\n    ")
    )
    left = [i for i in range(1, 50001) if i % 7]

    for table, wanted in {
        "base": left, "heir": [i for i in left if i > 20000], "parted": list(range(1, 50001)), "seen": left,
        "kept": list(range(1, 50001)), "parted_2": list(range(5000, 50001)),
    }.items():  # fmt: skip
        rows, _ = read_all(pg_database, table)
        assert sorted(rows["id"].to_pylist()) == wanted, table


def test_a_partitioned_parent_with_a_foreign_part_is_read_whole(pg_database: PostgresDatabase, tmp_path: Any) -> None:
    path = tmp_path / "part.csv"
    path.write_text("\n".join(str(i) for i in range(1000, 1010)))
    for part in (path, *path.parents[:-1]):
        part.chmod(part.stat().st_mode | 0o055)
    pg_database.execute(f"""
        create extension file_fdw; create server files foreign data wrapper file_fdw;
        create table t (id int) partition by range (id);
        create table t_1 partition of t for values from (1) to (1000);
        create foreign table t_2 partition of t for values from (1000) to (2000) server files
          options (filename '{path}', format 'csv');
        insert into t select i from generate_series(1, 9) i;
    """)
    rows, _ = read_all(pg_database, "t")
    assert sorted(rows["id"].to_pylist()) == [*range(1, 10), *range(1000, 1010)]


def test_batches_of_wide_rows_are_small(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table t (id int, doc text); alter table t alter doc set storage external;
        insert into t select i, repeat(md5(i::text), 32000) from generate_series(1, 60) i; analyze t;
    """)
    request = ReadRequest("t", memory_mib=64)
    with POSTGRES.read(pg_database.settings(), ANYWHERE, request) as reading:
        sizes = [(batch.num_rows, batch.nbytes) for batch in reading.batches]
    assert sum(rows for rows, _ in sizes) == 60
    assert max(size for _, size in sizes) < 64 * 2**20


# ---- cursors ---------------------------------------------------------------------------------------------------------

CURSORS: list[tuple[str, CursorType, list[str], str]] = [
    ("smallint", "integer", ["-5", "0", "7"], "7"),
    ("bigint", "integer", ["9007199254740993", "9007199254740992", "1"], "9007199254740993"),
    ("date", "date", ["'0044-03-15 BC'", "'2024-02-29'", "'2024-03-01'"], "2024-03-01"),
    ("timestamp", "timestamp", ["'2024-01-01 00:00:00.1'", "'2024-01-01 00:00:00.100001'", "'1969-01-01'"],
     "2024-01-01 00:00:00.100001"),
    ("timestamptz", "timestamp", ["'2024-01-01 00:00:00+02'", "'2023-12-31 22:30:00+00'", "'1900-01-01'"],
     "2023-12-31 22:30:00+00"),
    ("timestamp", "timestamp", ["'10000-01-01 01:02:03'", "'0044-03-15 BC'"], "10000-01-01 01:02:03"),
    ("timestamp", "timestamp", ["'0044-03-15 01:02:03 BC'", "'0045-12-31 BC'"], "0044-03-15 01:02:03 BC"),
    ("numeric(10,3)", "numeric", ["1.5", "10", "9.999"], "10.000"),
    ("numeric", "numeric", ["9", "10.50", "-1e30"], "10.50"),
    ("float8", "numeric", ["0.1", "0.30000000000000004"], "0.30000000000000004"),
    ("real", "numeric", ["0.1", "0.2"], "0.20000000298023224"),
    ("text", "integer", ["'a'", "'B'", "'é'", "'it''s \\'"], "é"),
    ("uuid", "integer", ["'00000000-0000-0000-0000-00000000000f'", "'f0000000-0000-0000-0000-000000000000'"],
     "f0000000-0000-0000-0000-000000000000"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "kind", "values", "greatest"), CURSORS, ids=[f"{c[0]} {c[3]}" for c in CURSORS])
def test_a_cursor_goes_to_the_greatest_value_and_on_from_there(
    pg_database: PostgresDatabase, declared: str, kind: CursorType, values: list[str], greatest: str
) -> None:
    listed = ", ".join(f"({place}, {value})" for place, value in enumerate((*values, "null")))
    pg_database.execute(f"create table t (n int, v {declared}); insert into t values {listed}")

    first, reading = read_all(pg_database, "t", Cursor("v", kind))
    assert (first.num_rows, reading.cursor_to) == (len(values) + 1, greatest)

    again, reading = read_all(pg_database, "t", Cursor("v", kind, greatest))
    assert (again.num_rows, reading.cursor_to) == (0, None)

    least = pg_database.execute("select v::text from t where v is not null order by v limit 1")[0][0]
    newer, reading = read_all(pg_database, "t", Cursor("v", kind, least))
    in_order = pg_database.execute("select n from t where v is not null order by v offset 1")
    assert newer["n"].to_pylist() == [row[0] for row in in_order]
    assert reading.cursor_to == greatest


def test_equal_cursor_values_are_all_read_and_not_again(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t as select i, 5 as v from generate_series(1, 100000) i")
    rows, reading = read_all(pg_database, "t", Cursor("v", "integer", "4"))
    assert (rows.num_rows, reading.cursor_to) == (100_000, "5")
    assert read_all(pg_database, "t", Cursor("v", "integer", "5"))[0].num_rows == 0


def test_infinite_times_are_never_the_newest(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (v timestamptz); insert into t values ('infinity'), ('2024-01-01 00:00+00')")
    rows, reading = read_all(pg_database, "t", Cursor("v", "timestamp"))
    assert (rows.num_rows, reading.cursor_to) == (2, "2024-01-01 00:00:00+00")
    rows, _ = read_all(pg_database, "t", Cursor("v", "timestamp", "2023-01-01"))
    assert rows.num_rows == 1


def test_a_cursor_uses_the_columns_index(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create domain stamp as timestamptz; create table t (id int, v stamp);
        insert into t select i, '2024-01-01'::timestamptz + i * interval '1 s' from generate_series(1, 50000) i;
        create index on t (v); analyze t;
        create function scans() returns bigint language sql as $$
          select idx_scan from pg_stat_user_indexes where relname = 't' $$;
    """)
    rows, _ = read_all(pg_database, "t", Cursor("v", "timestamp", "2024-01-01 13:53:00 Europe/Berlin"))
    assert 0 < rows.num_rows < 50

    def used() -> bool:
        return int(pg_database.execute("select scans()")[0][0]) > 0

    wait_for(used)


def test_a_cursor_column_that_is_gone_is_missing(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (id int)")
    with pytest.raises(MissingError, match='column "gone" of relation "t" does not exist'):
        read_all(pg_database, "t", Cursor("gone", "integer", "1"))


def test_a_cursor_value_of_another_type_is_the_sources_complaint(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (id int)")
    with pytest.raises(SourceQueryError, match="invalid input syntax for type integer"):
        read_all(pg_database, "t", Cursor("id", "integer", "2024-01-01"))


@pytest.mark.parametrize("declared", ["boolean", "bytea"])
def test_columns_that_cannot_order_rows_are_refused(pg_database: PostgresDatabase, declared: str) -> None:
    pg_database.execute(f"create table t (v {declared})")
    with pytest.raises(BadDataError, match='"v"'):
        read_all(pg_database, "t", Cursor("v", "integer"))


# ---- one snapshot ----------------------------------------------------------------------------------------------------


def test_a_read_sees_one_moment_whatever_is_written_meanwhile(
    pg_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pg_plan, "CHUNK_BYTES", 200_000)
    pg_database.execute("""
        create table t (id int primary key, version int, pad text);
        insert into t select i, 0, repeat('x', 100) from generate_series(1, 100000) i;
    """)
    stop = threading.Event()

    def write() -> None:
        with pg_database.connect() as connection:
            version = 0
            while not stop.is_set():
                version += 1
                connection.execute("update t set version = %s where id %% 10 = %s", [version, version % 10])
                connection.execute("insert into t values (%s, 0, '')", [100_000 + version])
                connection.execute("delete from t where id = %s", [version])

    writer = threading.Thread(target=write)
    with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("t")) as reading:
        writer.start()
        try:
            batches = []
            for batch in reading.batches:
                batches.append(batch)
                time.sleep(0.02)  # slower than the writer
        finally:
            stop.set()
            writer.join()
    rows = pa.Table.from_batches(batches)
    assert sorted(rows["id"].to_pylist()) == list(range(1, 100_001))
    assert set(rows["version"].to_pylist()) == {0}


def test_the_table_keeps_its_shape_while_it_is_read(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t as select i as id, repeat('x', 1000) as pad from generate_series(1, 50000) i")
    with (
        POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("t")) as reading,
        pg_database.connect() as other,
    ):
        other.execute("set lock_timeout = '100ms'")
        with pytest.raises(Exception, match="lock timeout"):
            other.execute("alter table t drop column pad")
        assert sum(batch.num_rows for batch in reading.batches) == 50_000


# ---- the end ---------------------------------------------------------------------------------------------------------


def sessions(database: PostgresDatabase) -> list[str]:
    """What the other connections to the database are running."""
    rows = database.execute(
        "select query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    return [row[0] for row in rows]


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_leaving_in_the_middle_of_a_long_query_ends_it_on_the_server(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create view slow as select 1 as a, pg_sleep(100)::text as b")
    begun = time.monotonic()
    with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("slow")):
        wait_for(lambda: any("COPY" in query for query in sessions(pg_database)))
    assert time.monotonic() - begun < 5
    wait_for(lambda: sessions(pg_database) == [])


def test_a_reader_waiting_in_another_thread_is_told_that_the_read_ended(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create view slow as select 1 as a, pg_sleep(100)::text as b")
    seen: list[BaseException] = []

    def consume(reading: Reading) -> None:
        try:
            list(reading.batches)
        except BaseException as error:
            seen.append(error)

    with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("slow")) as reading:
        thread = threading.Thread(target=consume, args=(reading,))
        thread.start()
        wait_for(lambda: any("COPY" in query for query in sessions(pg_database)))
    thread.join(5)
    assert [type(error) for error in seen] == [InterruptedReadError]


def test_leaving_a_large_table_early_does_not_read_the_rest(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t as select i, repeat('x', 500) as pad from generate_series(1, 200000) i")
    with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("t")) as reading:
        next(iter(reading.batches))
        begun = time.monotonic()
    assert time.monotonic() - begun < 2
    wait_for(lambda: sessions(pg_database) == [])


def test_an_error_of_the_consumer_passes_through_and_ends_the_read(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t as select i from generate_series(1, 100000) i")
    with (
        pytest.raises(ZeroDivisionError),
        POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("t")) as reading,
    ):
        for _ in reading.batches:
            raise ZeroDivisionError
    wait_for(lambda: sessions(pg_database) == [])


@pytest.mark.parametrize("how", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_query_ended_from_outside_is_an_interruption(pg_database: PostgresDatabase, how: str) -> None:
    pg_database.execute("create view slow as select 1 as a, pg_sleep(100)::text as b")

    def end() -> None:
        wait_for(lambda: any("COPY" in query for query in sessions(pg_database)))
        pg_database.execute(f"""
            select {how}(pid) from pg_stat_activity
            where datname = current_database() and query like 'COPY%' and pid <> pg_backend_pid()
        """)

    helper = threading.Thread(target=end)
    with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("slow")) as reading:
        helper.start()
        with pytest.raises(InterruptedReadError):
            list(reading.batches)
    helper.join()


def test_a_crash_of_the_server_in_the_middle_is_an_interruption(
    postgres: PostgresServer, pg_database: PostgresDatabase
) -> None:
    pg_database.execute("create table t as select i, repeat('x', 500) as pad from generate_series(1, 200000) i")
    try:
        with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("t")) as reading:
            next(iter(reading.batches))
            postgres.kill()
            with pytest.raises(InterruptedReadError):
                list(reading.batches)
    finally:
        postgres.start()
    assert json.loads(json.dumps(pg_database.execute("select 1"))) == [[1]]
