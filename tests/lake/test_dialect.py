"""The accepted SQL: what it becomes, and what is refused before anything runs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hedgerow.core.errors import BadRequestError
from hedgerow.lake.dialect import Translated, View, translate

KNOWN = frozenset({"people", "orders", "a.b"})


def translated(sql: str, values: dict[str, Any] | None = None) -> Translated:
    return translate(sql, values or {}, KNOWN.__contains__, 50_000)


def refusal(sql: str, values: dict[str, Any] | None = None) -> str:
    with pytest.raises(BadRequestError) as caught:
        translated(sql, values)
    return caught.value.message


def test_the_example_of_the_contract_is_run_as_it_shows() -> None:
    assert translated("SELECT id, name FROM people").sql == "SELECT id, name FROM people LIMIT 101"


@pytest.mark.parametrize(
    ("sql", "limit", "offset"),
    [
        ("SELECT 1 FROM people", 100, 0),
        ("SELECT 1 FROM people LIMIT 7", 7, 0),
        ("SELECT 1 FROM people LIMIT 7 OFFSET 3", 7, 3),
        ("SELECT 1 FROM people LIMIT 3, 7", 7, 3),
        ("SELECT 1 FROM people LIMIT 0", 0, 0),
        ("SELECT 1 FROM people LIMIT 50000", 50_000, 0),
        ("SELECT 1 FROM people LIMIT 50001", 50_000, 0),
        ("SELECT 1 FROM people FETCH FIRST 3 ROWS ONLY", 3, 0),
        ("SELECT 1 UNION ALL SELECT 2 LIMIT 5", 5, 0),
        ("(SELECT 1 UNION ALL SELECT 2) ORDER BY 1 LIMIT 5", 5, 0),
        ("WITH x AS (SELECT 1 LIMIT 2) SELECT * FROM x", 100, 0),
        ("SELECT * FROM (SELECT 1 LIMIT 2) AS x", 100, 0),
    ],
)
def test_one_row_more_than_the_limit_is_asked_for(sql: str, limit: int, offset: int) -> None:
    found = translated(sql)
    assert (found.limit, found.offset) == (limit, offset)
    assert f"LIMIT {limit + 1}" in found.sql


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT * FROM people", {"people"}),
        ('SELECT * FROM "people"', {"people"}),
        ("SELECT * FROM `people`", {"people"}),
        ("SELECT * FROM people AS p JOIN orders AS o ON p.id = o.id", {"people", "orders"}),
        ("SELECT (SELECT max(id) FROM orders)", {"orders"}),
        ("SELECT 1 WHERE EXISTS (SELECT 1 FROM orders)", {"orders"}),
        ("SELECT * FROM people UNION ALL SELECT * FROM orders", {"people", "orders"}),
        ("WITH x AS (SELECT * FROM people) SELECT * FROM x", {"people"}),
        ("WITH people AS (SELECT * FROM people) SELECT * FROM people", {"people"}),
        ("WITH x AS (SELECT 1), y AS (SELECT * FROM x) SELECT * FROM (SELECT * FROM y) AS z, x", set()),
        ("WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 3) SELECT * FROM x", set()),
        ("SELECT * FROM a.b", {"a.b"}),
        ("SELECT 1", set()),
        ("FROM people", {"people"}),
    ],
)
def test_the_tables_named_are_found_wherever_they_stand(sql: str, tables: set[str]) -> None:
    assert {view.table for view in translated(sql).views.values()} == tables


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM nope",
        "SELECT * FROM people WHERE id IN (SELECT id FROM nope)",
        "SELECT * FROM people UNION SELECT * FROM nope",
        "WITH x AS (SELECT * FROM nope) SELECT * FROM x",
        "WITH nope AS (SELECT * FROM nope) SELECT * FROM nope",
        "SELECT * FROM (WITH nope AS (SELECT 1) SELECT * FROM nope) AS x, nope",
        "SELECT (SELECT 1 FROM nope)",
        "SELECT * FROM people, LATERAL (SELECT * FROM nope) AS x",
    ],
)
def test_an_unknown_table_is_refused_wherever_it_stands(sql: str) -> None:
    assert refusal(sql) == "Unknown table `nope`."


MORNING = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("source", "becomes", "at"),
    [
        ("people AT (VERSION => 3)", '"people AT (3)" AS "people"', 3),
        ("people at(version=>3)", '"people AT (3)" AS "people"', 3),
        ("`people` AT (VERSION => 3) AS p", '"people AT (3)" AS p', 3),
        ("people p AT (VERSION => 3)", '"people AT (3)" AS p', 3),
        ("people AT (VERSION => 3) (a, b)", '"people AT (3)" AS "people"(a, b)', 3),
        ('people AS "at" AT (VERSION => 3)', '"people AT (3)" AS "at"', 3),
        ("people AT (VERSION => {n})", '"people AT (7)" AS "people"', 7),
        ("people VERSION AS OF 3", '"people AT (3)" AS "people"', 3),
        ("people FOR VERSION AS OF 3 p", '"people AT (3)" AS p', 3),
        ("a.b AT (VERSION => 3)", '"a.b AT (3)" AS "a.b"', 3),
        ("people AT (TIMESTAMP => '2026-11-24 10:00') p", '"people AT (2026-11-24 10:00:00+00:00)" AS p', MORNING),
        ("people AT (TIMESTAMP => '2026-11-24T10:00:00Z') p", '"people AT (2026-11-24 10:00:00+00:00)" AS p', MORNING),
        ("people AT (TIMESTAMP => {t}) p", '"people AT (2026-11-24 10:00:00+00:00)" AS p', MORNING),
        ("people TIMESTAMP AS OF '2026-11-24 10' AS p", '"people AT (2026-11-24 10:00:00+00:00)" AS p', MORNING),
        (
            "people AT (TIMESTAMP => TIMESTAMPTZ '2026-11-24 12:00+02:00') p",
            '"people AT (2026-11-24 10:00:00+00:00)" AS p',
            MORNING,
        ),
        ("people at", 'people AS "at"', None),
        ("people /* AT (VERSION => 3) */ p", "people AS p", None),
    ],
)
def test_a_table_at_a_version_or_moment_is_a_view_of_its_own(source: str, becomes: str, at: Any) -> None:
    found = translated(f"SELECT 1 FROM {source} LIMIT 0", {"n": 7, "t": "2026-11-24 11:00:00+01:00"})
    assert found.sql == f"SELECT 1 FROM {becomes} LIMIT 1"
    ((_, view),) = found.views.items()
    assert view == View("a.b" if source.startswith("a.b") else "people", at)


def test_each_version_is_one_view_whose_name_means_nothing_else() -> None:
    found = translated(
        """
        WITH "people AT (1)" AS (SELECT * FROM people AT (VERSION => 1))
        SELECT 'people AT (VERSION => 5)', "people AT (1)".*
        FROM "people AT (1)", people AS now, people AS v AT (VERSION => 1),
            (SELECT * FROM people AT (VERSION => 2)) AS w
        -- people AT (VERSION => 6)
        """
    )
    assert dict(found.views) == {
        "people": View("people"),
        "people AT (1)'": View("people", 1),
        "people AT (2)": View("people", 2),
    }


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nope AT (VERSION => 1)", "Unknown table `nope`."),
        ('"people AT (1)"', "Unknown table `people AT (1)`."),
        ("c AT (VERSION => 1)", "`c` has no versions: only a table can be read as it was."),
        ("numbers(3) AT (VERSION => 1)", "`numbers` has no versions: only a table can be read as it was."),
        *(
            (f"people AT (VERSION => {x})", "VERSION must be a whole number.")
            for x in ("-1", "1.5", "'1'", "1e3", "NULL")
        ),
        *(
            (f"people AT (VERSION => {x})", "VERSION must be a whole number.")
            for x in ("(SELECT 1)", "1 + 1", "id", "9" * 20)
        ),
        *(
            (
                f"people AT (TIMESTAMP => {x})",
                "TIMESTAMP must be a moment as a text, such as '2026-11-24 10:00:00Z'.",
            )
            for x in (
                "now()",
                "3",
                "'yesterday'",
                "''",
                "'0001-01-01T00:00+01:00'",
                "NULL",
                "(SELECT max(at) FROM people)",
            )
        ),
        *(
            (f"people {x}", "A table is read as it was by AT (VERSION => …) or AT (TIMESTAMP => …).")
            for x in ("BEFORE (VERSION => 1)", "AT (OFFSET => -60)", "AT (STATEMENT => 'x')", "FOR VERSION ALL")
        ),
    ],
)
def test_what_is_no_version_of_a_table_is_refused(source: str, said: str) -> None:
    assert refusal(f"WITH c AS (SELECT 1) SELECT * FROM {source}") == said


@pytest.mark.parametrize(
    "source",
    [
        "people AT (VERSION => 1) AT (VERSION => 2)",
        "people AT (VERSION => 1) p AT (VERSION => 2)",
        "people AT (VERSION => 1, TIMESTAMP => '2026-01-01')",
        "(SELECT 1) AT (VERSION => 1)",
        "people AT (VERSION => 1",
    ],
)
def test_a_clause_out_of_place_is_a_syntax_error(source: str) -> None:
    assert refusal(f"SELECT * FROM {source}").startswith("Syntax error")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM 'file.csv'", "Unknown table `file.csv`."),
        ("SELECT * FROM information_schema.tables", "Unknown table `information_schema.tables`."),
        ("SELECT * FROM pg_catalog.pg_class", "Unknown table `pg_catalog.pg_class`."),
        ("SELECT * FROM sqlite_master", "Unknown table `sqlite_master`."),
        ("SELECT * FROM read_csv('x')", "The table function `read_csv` is not available."),
        ("SELECT * FROM glob('*')", "The table function `glob` is not available."),
        ("SELECT * FROM duckdb_settings()", "The table function `duckdb_settings` is not available."),
        ("SELECT * FROM query('SELECT 1')", "The table function `query` is not available."),
        ("SELECT * FROM main.numbers(3)", "The table function `numbers` is not available."),
    ],
)
def test_nothing_but_tables_and_numbers_can_be_read_from(sql: str, said: str) -> None:
    assert refusal(sql) == said


@pytest.mark.parametrize(
    "sql",
    [
        "COPY people TO 'x'",
        "ATTACH 'x'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA version",
        "SET threads = 1",
        "RESET threads",
        "CALL duckdb_settings()",
        "INSERT INTO people VALUES (1)",
        "UPDATE people SET id = 1",
        "DELETE FROM people",
        "DROP TABLE people",
        "CREATE TABLE x AS SELECT 1",
        "DESCRIBE people",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "VALUES (1)",
        "SELECT * INTO x FROM people",
        "WITH x AS (DELETE FROM people RETURNING *) SELECT * FROM x",
    ],
)
def test_everything_but_a_select_is_refused(sql: str) -> None:
    assert refusal(sql) == "Only SELECT statements are allowed."


@pytest.mark.parametrize("sql", ["", "   ", "-- nothing", "/* nothing */", ";"])
def test_an_empty_query_is_refused(sql: str) -> None:
    assert refusal(sql) == "The query is empty."


def test_several_statements_are_refused_but_semicolons_in_texts_are_fine() -> None:
    assert refusal("SELECT 1; SELECT 2") == "Only one statement may be run at a time."
    assert translated("SELECT 'a;b' AS x;").sql == "SELECT 'a;b' AS x LIMIT 101"


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("SELEC 1", "line 1, column 7"),
        ("SELECT 1\nFROM people WHERE", "line 2, column 17"),
        ("SELECT (1", "line 1, column 9"),
    ],
)
def test_a_syntax_error_says_where(sql: str, place: str) -> None:
    assert refusal(sql).startswith(f"Syntax error at {place}")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'abc",
        "SELECT " + "(" * 3000 + "1" + ")" * 3000,
        "SELECT 1 FROM people FOR UPDATE",
        "EXPORT DATABASE 'x'",
    ],
)
def test_broken_and_bottomless_texts_are_refused_kindly(sql: str) -> None:
    assert refusal(sql)


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (5, "5"),
        (-5, "(-5)"),
        (1.5, "1.5"),
        (True, "TRUE"),
        (None, "NULL"),
        ("it's", "'it''s'"),
        ("'; DROP TABLE people; --", "'''; DROP TABLE people; --'"),
        ("back\\slash", "'back\\slash'"),
        ("{other}", "'{other}'"),
        ([1, "x"], "[1, 'x']"),
    ],
)
def test_a_value_becomes_a_literal_and_nothing_else(value: Any, literal: str) -> None:
    assert translated("SELECT {v} AS x", {"v": value}).sql == f"SELECT {literal} AS x LIMIT 101"


@pytest.mark.parametrize("sql", ["SELECT 1 FROM people WHERE id IN {ids}", "SELECT 1 FROM people WHERE id IN ({ids})"])
def test_a_list_can_be_searched_with_or_without_parentheses(sql: str) -> None:
    assert "id IN (1, 2)" in translated(sql, {"ids": [1, 2]}).sql


def test_placeholders_in_texts_comments_and_structs_are_left_alone() -> None:
    assert translated("SELECT '{v}' AS x -- {v}").sql == "SELECT '{v}' AS x LIMIT 101"
    assert translated("SELECT {'v': 1} AS x").sql == "SELECT {'v': 1} AS x LIMIT 101"


def test_a_placeholder_without_value_is_named() -> None:
    assert refusal("SELECT {v}") == "Unable to resolve placeholder: {v}"


@pytest.mark.parametrize("value", [{"a": 1}, [[{"a": 1}]], float("inf"), "a\0b"])
def test_other_values_are_refused(value: Any) -> None:
    assert refusal("SELECT {v}", {"v": value}).startswith("The value of {v} must be")


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("count()", "count()"),
        ("id == 1", "id = 1"),
        ("uniq(name)", "count(DISTINCT name)"),
        ("uniq(id, name)", "count(DISTINCT (id, name))"),
        ("countIf(id > 1)", "count(CASE WHEN id > 1 THEN 1 END)"),
        ("sumIf(id, id > 1)", "sum(CASE WHEN id > 1 THEN id ELSE 0 END)"),
        ("toDate(name)", "TRY_CAST(name AS DATE)"),
        ("toString(id)", "CAST(id AS TEXT)"),
        ("toFloat(name)", "TRY_CAST(name AS DOUBLE)"),
        ("TOSTRING(id)", "CAST(id AS TEXT)"),
        ("toStartOfDay(seen)", "date_trunc('day', seen)"),
        ("dateDiff('day', '2026-01-01', seen)", "date_diff('day', CAST('2026-01-01' AS TIMESTAMP), seen)"),
        ("ifNull(id, 0)", "COALESCE(id, 0)"),
    ],
)
def test_clickhouse_names_become_duckdb(written: str, run: str) -> None:
    assert (
        translated(f"SELECT {written} AS x FROM people").sql.lower()
        == f"select {run} as x from people limit 101".lower()
    )


@pytest.mark.parametrize(
    "sql", ["countIf()", "sumIf(id)", "toDate()", "toStartOfWeek(id, 1, 2)", "dateDiff('day', id)"]
)
def test_a_wrong_number_of_arguments_is_told(sql: str) -> None:
    assert "arguments" in refusal(f"SELECT {sql} FROM people")


@pytest.mark.parametrize(
    "sql", ["LIMIT -1", "LIMIT ALL", "LIMIT 1 + 1", "LIMIT 'x'", "LIMIT 5 BY id", "LIMIT 1 OFFSET id"]
)
def test_limits_are_whole_numbers(sql: str) -> None:
    assert refusal(f"SELECT id FROM people {sql}")


def test_expressions_without_a_name_are_called_as_written() -> None:
    assert translated("SELECT toDate(name), id, 1 FROM people").sql.startswith(
        'SELECT TRY_CAST(name AS DATE) AS "toDate(name)", id, 1 FROM'
    )
