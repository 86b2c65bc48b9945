"""One query, in this process: what it answers, how values cross into JSON, and what it cannot reach."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.core.errors import AppError, BadRequestError, BrokenError
from hedgerow.lake import query, read
from hedgerow.lake.answer import Limits, Result
from hedgerow.lake.storage import Storage
from tests.support import shop
from tests.support.soak import times

TABLES = {"orders": "1/orders-a", "secrets": "1/secrets-b"}
Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    storage = Storage(str(tmp_path_factory.mktemp("tables")))
    shop.store(storage, TABLES["orders"])
    shop.store(storage, TABLES["secrets"], pa.table({"secret": ["hidden"]}))
    return storage


@pytest.fixture
def ask(storage: Storage) -> Ask:
    """`ask(sql, **values)`: the result, over the tables `orders` and `secrets`."""

    def run(sql: str, limits: Limits | None = None, tables: dict[str, str] | None = None, **values: Any) -> Result:
        connection = query.connect(storage)
        try:
            return query.run(connection, storage, sql, values, TABLES if tables is None else tables, limits or Limits())
        finally:
            connection.close()

    return run


def one(result: Result) -> Any:
    """The only value of a result."""
    ((value,),) = result.rows
    return value


def test_rows_come_with_names_and_types(ask: Ask) -> None:
    found = ask("SELECT id, name FROM orders ORDER BY id")
    assert found.columns == ["id", "name"]
    assert found.types == [["id", "Int64"], ["name", "String"]]
    assert found.rows == [[1, "Ada"], [2, "Grace"], [9007199254740993, None]]
    assert (found.has_more, found.limit, found.offset) == (False, 100, 0)
    assert found.tables == ["orders"]


def test_every_stored_type_crosses_into_json_without_loss(ask: Ask) -> None:
    found = ask("SELECT * FROM orders ORDER BY id")
    assert dict(map(tuple, found.types)) == {  # type: ignore[arg-type]
        "id": "Int64",
        "name": "String",
        "total": "Decimal(18, 4)",
        "weight": "Float64",
        "share": "Float32",
        "paid": "Bool",
        "born": "Date",
        "seen": "DateTime64(6, 'UTC')",
        "clock": "DateTime64(6)",
        "photo": "String",
        "extra": "String",
    }
    first, second, third = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    assert first == {
        "id": 1,
        "name": "Ada",
        "total": "10.0000",
        "weight": 1.5,
        "share": 0.1,
        "paid": True,
        "born": "1815-12-10",
        "seen": "2026-02-01T10:00:00.5Z",
        "clock": "2026-02-01T10:00:00",
        "photo": "AP8=",
        "extra": '{"tags": ["a", "b"], "n": 1}',
    }
    assert (second["total"], second["weight"]) == ("-99999999999999.9999", None)
    assert (third["id"], third["weight"]) == (9007199254740993, None)
    assert json.loads(json.dumps(found.rows, allow_nan=False)) == found.rows


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("170141183460469231731687303715884105727::HUGEINT", "Int128", 170141183460469231731687303715884105727),
        ("18446744073709551615::UBIGINT", "UInt64", 18446744073709551615),
        ("1.10::DECIMAL(38, 2)", "Decimal(38, 2)", "1.10"),
        ("'infinity'::TIMESTAMP", "DateTime64(6)", None),
        ("'-infinity'::DATE", "Date", None),
        ("'nan'::FLOAT", "Float32", None),
        ("TIMESTAMPTZ '2026-02-01 12:00:00+02'", "DateTime64(6, 'UTC')", "2026-02-01T10:00:00Z"),
        ("TIME '10:00:00'", "String", "10:00:00"),
        ("INTERVAL 1 DAY", "String", "1 day"),
        ("'00000000-0000-0000-0000-000000000001'::UUID", "UUID", "00000000-0000-0000-0000-000000000001"),
        ("[1.5::DECIMAL(3, 1), NULL]", "Array(Decimal(3, 1))", ["1.5", None]),
        ("{'a': 'x', 'b': [DATE '2026-01-01']}", "Tuple(a String, b Array(Date))", {"a": "x", "b": ["2026-01-01"]}),
        ("MAP {'k': 'nan'::DOUBLE}", "Map(String, Float64)", {"k": None}),
        ("[TIMESTAMPTZ '2026-02-01 10:00:00Z']", "Array(DateTime64(6, 'UTC'))", ["2026-02-01T10:00:00Z"]),
        ("['\\x00'::BLOB]", "Array(String)", ["AA=="]),
    ],
)
def test_computed_types_cross_into_json_without_loss(ask: Ask, expression: str, kind: str, value: Any) -> None:
    found = ask(f"SELECT {expression} AS x")
    assert (found.types[0][1], one(found)) == (kind, value)


def test_columns_of_the_same_name_are_all_kept_in_order(ask: Ask) -> None:
    found = ask("SELECT 1 AS a, 2 AS b, 3 AS a")
    assert (found.columns, found.rows) == (["a", "b", "a"], [[1, 2, 3]])


def test_rows_beyond_the_limit_are_told_but_not_given(ask: Ask) -> None:
    found = ask("SELECT number FROM numbers(5) ORDER BY number DESC LIMIT 2")
    assert (found.rows, found.has_more, found.limit) == ([[4], [3]], True, 2)
    exactly = ask("SELECT number FROM numbers(2) LIMIT 2")
    assert (len(exactly.rows), exactly.has_more) == (2, False)
    assert len(ask("SELECT number FROM numbers(500)").rows) == 100
    assert len(ask("SELECT number FROM numbers(60000) LIMIT 60000").rows) == 50_000


def test_a_long_sorted_result_stays_sorted(ask: Ask) -> None:
    rows = ask("SELECT number FROM numbers(40000) ORDER BY number DESC LIMIT 40000").rows
    assert rows == [[n] for n in range(39999, -1, -1)]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("count()", 3),
        ("uniq(paid)", 2),
        ("countIf(id > 1)", 2),
        ("sumIf(id, id < 3)", 3),
        ("sumIf(id, id < 0)", 0),
        ("max(toDate(seen))", "2026-02-03"),
        ("max(toStartOfDay(seen))", "2026-02-03T00:00:00Z"),
        ("min(toStartOfWeek(seen))", "2026-02-01"),
        ("min(toStartOfWeek(seen, 1))", "2026-01-26"),
        ("max(toStartOfMonth(seen))", "2026-02-01"),
        ("max(dateDiff('day', '2026-01-01', seen))", 33),
        ("max(toInt('3.9')) + max(toInt(-3.9))", 0),
        ("max(toInt('x'))", None),
        ("max(toFloat('2.5'))", 2.5),
        ("min(toString(id))", "1"),
        ("ifNull(max(toDate('never')), toDate('2026-01-01'))", "2026-01-01"),
        ("count(*) FILTER (WHERE name == 'Ada')", 1),
        ("max(JSONExtractString(extra, 'tags', 2))", "b"),
        ("max(JSONExtractString(extra, 'n'))", ""),
        ("count(JSONExtractString(extra, 'x'))", 2),
    ],
)
def test_clickhouse_names_mean_what_they_mean_there(ask: Ask, expression: str, value: Any) -> None:
    assert one(ask(f"SELECT {expression} AS x FROM orders")) == value


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT o.id FROM orders o JOIN orders p ON o.id = p.id WHERE p.id = 1", [[1]]),
        ("WITH x AS (SELECT id FROM orders) SELECT count() FROM x", [[3]]),
        ("WITH RECURSIVE x AS (SELECT 1 n UNION ALL SELECT n + 1 FROM x WHERE n < 3) SELECT sum(n) FROM x", [[6]]),
        ("SELECT 1 UNION ALL SELECT 2 ORDER BY 1", [[1], [2]]),
        ("SELECT id, row_number() OVER (ORDER BY id DESC) FROM orders WHERE id < 3 ORDER BY id", [[1, 2], [2, 1]]),
        ("SELECT CASE WHEN paid THEN 'yes' ELSE 'no' END FROM orders WHERE id = 1", [["yes"]]),
        ("SELECT CAST('5' AS INTEGER)", [[5]]),
        ("SELECT number FROM numbers(2)", [[0], [1]]),
        ("SELECT number FROM numbers(5, 2)", [[5], [6]]),
        ("SELECT n.number FROM numbers(1) AS n", [[0]]),
        ('SELECT `id`, "name" FROM `orders` WHERE id = 1', [[1, "Ada"]]),
        ("SELECT id FROM orders WHERE name IN {names}", [[1]]),
        ("SELECT id FROM orders WHERE name = {name}", [[2]]),
    ],
)
def test_standard_sql_is_understood(ask: Ask, sql: str, rows: list[Any]) -> None:
    assert ask(sql, names=["Ada", "x' OR 1=1 --"], name="Grace").rows == rows


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nope FROM orders", "Unable to resolve field: nope"),
        ("SELECT orders.nope FROM orders", "Unable to resolve field: nope"),
        ("SELECT x.id FROM orders", "Unable to resolve field: x"),
        ("SELECT * FROM nope", "Unknown table `nope`."),
        ("SELECT nope(1)", "Unsupported function call 'nope(...)'."),
        ("SELECT 'x'::INTEGER", "Could not convert string 'x' to INT32"),
        ("SELECT " + "+".join(["1"] * 3000), "The query is nested too deeply."),
    ],
)
def test_errors_say_what_to_change(ask: Ask, sql: str, said: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        ask(sql)
    assert caught.value.message == said


def test_a_table_that_is_not_allowed_is_as_unknown_as_any_other(ask: Ask) -> None:
    with pytest.raises(BadRequestError, match="Unknown table `secrets`"):
        ask("SELECT * FROM secrets", tables={"orders": TABLES["orders"]})


def test_the_newest_version_is_read_whole_at_once(ask: Ask, storage: Storage) -> None:
    shop.store(storage, "1/moving-c", pa.table({"a": [1, 2]}), fence=1)
    shop.store(storage, "1/moving-c", pa.table({"b": ["new"]}), fence=2)
    found = ask("SELECT * FROM moving", tables={"moving": "1/moving-c"})
    assert (found.columns, found.rows) == (["b"], [["new"]])


def test_an_empty_table_has_its_columns(ask: Ask, storage: Storage) -> None:
    shop.store(storage, "1/empty-d", shop.ORDERS.slice(0, 0))
    found = ask("SELECT * FROM empty", tables={"empty": "1/empty-d"})
    assert (found.columns, found.rows) == (shop.ORDERS.column_names, [])


def test_a_table_whose_data_are_gone_is_our_fault(ask: Ask) -> None:
    with pytest.raises(BrokenError, match="gone"):
        ask("SELECT * FROM lost", tables={"lost": "1/lost-e"})


@pytest.mark.parametrize(
    ("sql", "stable"),
    [
        ("SELECT count() FROM orders", True),
        ("SELECT now()", False),
        ("SELECT current_date", False),
        ("SELECT CURRENT_TIMESTAMP", False),
        ("SELECT random()", False),
        ("SELECT * FROM orders TABLESAMPLE 50%", False),
        ("SELECT id FROM orders WHERE seen < now() - INTERVAL 1 DAY", False),
    ],
)
def test_answers_that_change_without_the_data_are_told_apart(ask: Ask, sql: str, stable: bool) -> None:
    assert ask(sql).stable is stable


def test_a_query_over_its_memory_is_refused(ask: Ask) -> None:
    with pytest.raises(BadRequestError, match="needs more memory than the limit of 32 MiB"):
        ask("SELECT list(number) FROM numbers(50000000)", limits=Limits(memory_mib=32))


def test_tables_in_s3_are_queried_like_those_in_a_folder(s3: Storage) -> None:
    shop.store(s3, TABLES["orders"])
    shop.store(s3, TABLES["secrets"], pa.table({"secret": ["hidden"]}))
    other = read.files(s3, TABLES["secrets"])
    assert other is not None
    connection = query.connect(s3)
    found = query.run(connection, s3, "SELECT sum(id) FROM orders", {}, TABLES, Limits())
    assert found.rows == [[9007199254740996]]
    before = query.connect(s3)
    assert query.run(before, s3, "SELECT count() FROM orders AT (VERSION => 0)", {}, TABLES, Limits()).rows == [[3]]
    before.close()
    for way_out in (f"read_parquet('{other.uris[0]}')", f"glob('{s3.url}/*')", f"read_text('{s3.url}/x')"):
        with pytest.raises(duckdb.PermissionException):
            connection.execute(f"SELECT * FROM {way_out}")
    connection.close()


# ── The sandbox ─────────────────────────────────────────────────────────────────────────────────────────────────────

ATTEMPTS = [
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_csv_auto('{file}')",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_blob('{file}')",
    "SELECT * FROM read_json('{file}')",
    "SELECT * FROM read_parquet('{parquet}')",
    "SELECT * FROM parquet_scan('{parquet}')",
    "SELECT * FROM parquet_metadata('{parquet}')",
    "SELECT * FROM parquet_schema('{parquet}')",
    "SELECT * FROM sniff_csv('{file}')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM '{parquet}'",
    'SELECT * FROM "{parquet}"',
    "SELECT * FROM `{parquet}`",
    "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
    "SELECT * FROM 'http://127.0.0.1:1/x.parquet'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT read_text('{file}')",
    "SELECT '{file}'.read_text()",
    "COPY orders TO '{folder}/out.csv'",
    "COPY (SELECT 1) TO '{parquet}'",
    "COPY orders FROM '{file}'",
    "EXPORT DATABASE '{folder}/out'",
    "IMPORT DATABASE '{folder}/out'",
    "ATTACH '{folder}/x.db'",
    "ATTACH '{folder}/x.db' AS x (TYPE sqlite)",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "INSTALL '{folder}/x.duckdb_extension'",
    "LOAD httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "PRAGMA version",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "SET threads = 64",
    "SET lock_configuration = false",
    "SET enable_external_access = true",
    "SET GLOBAL memory_limit = '1TB'",
    "SET VARIABLE x = 1",
    "RESET memory_limit",
    "CALL duckdb_settings()",
    "CHECKPOINT",
    "VACUUM",
    "CREATE SECRET (TYPE s3)",
    "CREATE MACRO f(x) AS x",
    "PREPARE x AS SELECT 1",
    "EXECUTE x",
    "SELECT 1; DROP VIEW orders",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM pg_tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_logs",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM duckdb_extensions()",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM duckdb_memory()",
    "SELECT * FROM duckdb_temporary_files()",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_table_info('orders')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('orders')",
    "SELECT * FROM json_execute_serialized_sql('x')",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM test_all_types()",
    "SELECT * FROM generate_series(1, 2)",
    "SELECT * FROM repeat_row(1, num_rows = 3)",
    "SELECT * FROM (DESCRIBE orders)",
    "SELECT * FROM (SHOW TABLES)",
    "SELECT * FROM (SUMMARIZE orders)",
    "SELECT * FROM main.orders",
    "SELECT * FROM memory.main.orders",
    "SELECT * FROM system.information_schema.tables",
    "SELECT * FROM main.orders AT (VERSION => 0)",
    "SELECT * FROM '{parquet}' AT (VERSION => 0)",
    'SELECT * FROM "{parquet}" AT (VERSION => 0)',
    "SELECT * FROM read_parquet('{parquet}') AT (VERSION => 0)",
    "SELECT * FROM orders AT (VERSION => 0) x, '{parquet}'",
    "SELECT * FROM duckdb_tables AT (VERSION => 0)",
    "SELECT * FROM orders AT (VERSION => (SELECT 0 FROM read_text('{file}')))",
    "SELECT * FROM orders AT (VERSION => getenv('HOME'))",
    "SELECT * FROM orders AT (TIMESTAMP => getvariable('x'))",
    "SELECT * FROM orders AT (FILE => '{file}')",
    'SELECT * FROM "orders AT (0)"',
    "SELECT * FROM (PIVOT orders ON name USING count(*))",
    "WITH duckdb_tables AS (SELECT * FROM duckdb_tables) SELECT * FROM duckdb_tables",
    "SELECT * FROM (WITH duckdb_tables AS (SELECT 1) SELECT * FROM duckdb_tables) AS x, duckdb_tables",
    "SELECT getenv('HOME')",
    "SELECT current_setting('allowed_paths')",
    "SELECT getvariable('x')",
    "SELECT current_query()",
    "SELECT current_database()",
    "SELECT current_schemas(true)",
    "SELECT version()",
    "SELECT pg_catalog.pg_get_viewdef(1)",
    "SELECT nextval('x')",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT write_log('x')",
    "SELECT sleep_ms(1)",
    "SELECT pg_sleep(1)",
    "SELECT error('x')",
    "SELECT 1 WHERE getenv('HOME') IS NOT NULL",
    "SELECT max(getenv('HOME')) OVER ()",
    "SELECT list_transform([1], x -> getenv('HOME'))",
    "SELECT id FROM orders ORDER BY getenv('HOME')",
    "SELECT * REPLACE (getenv('HOME') AS id) FROM orders",
    "SELECT (SELECT getenv('HOME'))",
    "SELECT ?",
    "SELECT $1",
    "SELECT $x",
]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_way_out_of_the_sandbox(ask: Ask, storage: Storage, tmp_path: Path, attempt: str) -> None:
    file = tmp_path / "hidden.csv"
    file.write_text("secret\nhidden\n")
    parquet = next(Path(storage.root, TABLES["secrets"]).glob("*.parquet"))
    before = parquet.read_bytes()
    sql = attempt.replace("{file}", str(file)).replace("{parquet}", str(parquet)).replace("{folder}", str(tmp_path))
    with pytest.raises(BadRequestError) as caught:
        ask(sql)
    assert "hidden\n" not in caught.value.message
    assert parquet.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "attempt", [a for a in ATTEMPTS if not a.startswith(("SELECT 1;", "USE", "VACUUM", "CHECKPOINT"))]
)
def test_duckdb_alone_lets_no_file_be_read_or_written(storage: Storage, tmp_path: Path, attempt: str) -> None:
    """The same attempts without translation and guard: the sealed database itself must hold."""
    file = tmp_path / "hidden.csv"
    file.write_text("secret\nhidden\n")
    parquet = next(Path(storage.root, TABLES["secrets"]).glob("*.parquet"))
    sql = attempt.replace("{file}", str(file)).replace("{parquet}", str(parquet)).replace("{folder}", str(tmp_path))
    connection = query.connect(storage)
    snapshot = read.files(storage, TABLES["orders"])
    assert snapshot is not None
    query.seal(connection, {"orders": snapshot}, Limits())
    try:
        answer = str(connection.execute(sql).fetchall())
    except Exception as error:
        answer = type(error).__name__
    finally:
        connection.close()
    assert "hidden'" not in answer
    assert list(tmp_path.iterdir()) == [file]


def mostly(good: list[str], bad: list[str]) -> st.SearchStrategy[str]:
    """One of the good in three of four cases, so that a query of several parts often runs."""
    return st.sampled_from([*good * (3 * len(bad) // len(good)), *bad])


NAMES = mostly(
    ["orders", "orders", "orders", '"orders"', "`orders`"],
    [
        *("secrets", "main.orders", "nope", "c", "o", "range(3)", "numbers(2)", "(SELECT 1 AS id)"),
        *("read_text('x')", '"orders AT (0)"', "'x.csv'", "duckdb_tables", "LATERAL (SELECT 1 AS id)"),
    ],
)
BAD_TIMES = [
    *(" AT (VERSION => 1)", " AT (VERSION => -1)", " AT (VERSION => {w})", " AT (VERSION => (SELECT id FROM secrets))"),
    *(" AT (TIMESTAMP => '2999-01-01')", " AT (TIMESTAMP => 'x')", " AT (TIMESTAMP => now())", " AT (OFFSET => 0)"),
    *(" AT (VERSION => 0) -- secrets\n", " BEFORE (VERSION => 0)", " AT (VERSION => 0", " AT ('x')", " AT"),
]
TIMES = mostly(["", " AT (VERSION => 0)", " AT (VERSION => {v})", " VERSION AS OF 0", " /* AT (9) */"], BAD_TIMES)
BEFORE = st.sampled_from(
    [
        *("", "", "WITH c AS (SELECT 1 AS id) ", "WITH orders AS (SELECT * FROM orders AT (VERSION => 0)) "),
        'WITH "orders AT (0)" AS (SELECT 2 AS id) ',
        "WITH RECURSIVE o AS (SELECT 1 AS id UNION ALL SELECT id FROM o AT (VERSION => 0) WHERE id < 0) ",
    ]
)
AFTER = st.sampled_from(
    ["", " WHERE 'AT (VERSION => 9)' <> 'x'", " UNION ALL SELECT 1 FROM orders AT (VERSION => 0)", " LIMIT 1"]
)
ITEMS = st.tuples(
    NAMES, TIMES, mostly(["", " AS a{n}", " a{n}"], [" at", ' AS "at"', " AS o(id)", " (id)", " TABLESAMPLE 50%"])
).map("".join)
FROM = st.lists(ITEMS, min_size=1, max_size=3).map(
    lambda items: ", ".join(item.replace("{n}", str(n)) for n, item in enumerate(items))
)
QUERIES = st.tuples(BEFORE, st.just("SELECT 1 FROM "), FROM, AFTER).map("".join)


@given(QUERIES, mostly([""], BAD_TIMES), st.integers(0, 200))
@settings(max_examples=times(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_versions_open_no_way_to_another_table(ask: Ask, sql: str, inserted: str, place: int) -> None:
    """Whatever stands where: rows of `orders`, or a refusal that the caller can read."""
    sql = sql[:place] + inserted + sql[place:]
    try:
        found = ask(sql, tables={"orders": TABLES["orders"]}, v=0)
    except BadRequestError:
        return
    assert set(found.tables) <= {"orders"}
    assert not re.search("secrets|nope|hidden", found.sql + str(found.rows))


def test_the_files_of_the_tables_named_are_not_open_to_functions_either(ask: Ask, storage: Storage) -> None:
    own = next(Path(storage.root, TABLES["orders"]).glob("*.parquet"))
    for sql in (f"SELECT * FROM orders, read_parquet('{own}')", f"SELECT * FROM orders, '{own}'"):
        with pytest.raises(AppError, match=r"not available|Unknown table"):
            ask(sql)
