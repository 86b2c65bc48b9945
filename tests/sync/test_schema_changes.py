"""A table in a real PostgreSQL changes its shape between runs: what is in the table afterwards, and what is told."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from django.conf import settings as django_settings

from hedgerow.accounts.models import Project
from hedgerow.connectors import registry
from hedgerow.connectors.contract import Reading, SourceTable
from hedgerow.core.errors import SourceQueryError
from hedgerow.lake.storage import Storage
from hedgerow.sources import services, shape
from hedgerow.sync import endings, lifecycle
from hedgerow.sync.erasing import location_of
from hedgerow.work.models import Task
from tests.support.postgres import PostgresDatabase
from tests.sync.conftest import APPEND, INCREMENTAL, Installation

pytestmark = pytest.mark.django_db

FULL = {"sync_type": "full_refresh"}
BY_CURSOR = [pytest.param(INCREMENTAL, id="incremental"), pytest.param(APPEND, id="append")]
ALL = [pytest.param(FULL, id="full_refresh"), *BY_CURSOR]
Rows = list[dict[str, Any]]


def connect(project: Project, database: PostgresDatabase, **schema: Any) -> Installation:
    """The database with its table `people`, synced once."""
    chosen = {"name": "people", "should_sync": True, **schema}
    data = {"source_type": "Postgres", "payload": {**database.settings(), "schemas": [chosen]}}
    there = Installation(project, lifecycle.connect(project=project, user=None, data=data))
    there.work()
    return there


def sync(there: Installation) -> Rows:
    lifecycle.reload_source(there.source)
    there.work()
    assert there.table().latest_error is None
    return stored(there)


def stored(there: Installation) -> Rows:
    """The table's rows, read by another reader."""
    uri = Storage(django_settings.CONFIG.storage).uri(location_of(there.table()))
    return sorted(pl.read_delta(uri).to_dicts(), key=lambda row: (row["seen"], str(row)))


def in_source(database: PostgresDatabase) -> Rows:
    names = [
        name
        for (name,) in database.execute(
            "select attname::text from pg_attribute where attrelid = 'people'::regclass and attnum > 0"
            " and not attisdropped order by attnum"
        )
    ]
    return [dict(zip(names, row, strict=True)) for row in database.execute("select * from people order by seen")]


def told(there: Installation) -> list[tuple[Any, ...]]:
    """The dated changes, newest first."""
    return [(c["change"], c["column"], c["from"], c["to"]) for c in there.table().changes]


def message(there: Installation, change: str, column: str | None = None) -> str:
    (found,) = [c["message"] for c in there.table().changes if (c["change"], c["column"]) == (change, column)]
    return str(found)


PEOPLE = """
    create table people (id int primary key, seen int not null, name text);
    insert into people values (1, 10, 'Ada'), (2, 20, 'Grace')
"""
PLAIN: Rows = [{"id": 1, "seen": 10, "name": "Ada"}, {"id": 2, "seen": 20, "name": "Grace"}]

BEFORE = """
    create type mood as enum ('sad', 'ok');
    create table people (
        id int primary key, seen int not null, renamed text, grown varchar(5), wider int, digits int,
        longer numeric(30,2), narrower bigint, real4 real, whole bigint, words int, day date, feeling mood,
        needed text not null, optional text, dropped text
    );
    insert into people values (1, 10, 'r1', 'g1', 1, 5, 1234567890123456789012345678.25, 7, 0.1, 9007199254740993, 42,
                               '2026-01-31', 'ok', 'n1', 'o1', 'd1')
"""
AFTER = """
    alter table people rename column renamed to called;
    alter table people alter grown type varchar(50), alter wider type bigint, alter digits type numeric(12,2),
        alter longer type numeric(50,2), alter narrower type smallint, alter real4 type double precision,
        alter whole type double precision, alter words type text, alter day type timestamp,
        alter needed drop not null, alter optional set not null, drop dropped, add added int default 3;
    alter type mood add value 'happy';
"""
NEW = """
    insert into people values (2, 20, 'r2', 'longer than five', 9223372036854775807, 5.25,
                               123456789012345678901234567890123456789.75, 8, 0.1, 2.5, 'forty-three',
                               '2026-02-01 08:30:00.000001', 'happy', null, 'o2', 4)
"""
OLD_ROW = {
    "id": 1,
    "seen": 10,
    "renamed": "r1",
    "grown": "g1",
    "wider": 1,
    "digits": Decimal("5.00"),
    "longer": "1234567890123456789012345678.25",
    "narrower": 7,
    "real4": 0.10000000149011612,
    "whole": 9007199254740992.0,
    "words": "42",
    "day": dt.datetime.fromisoformat("2026-01-31"),
    "feeling": "ok",
    "needed": "n1",
    "optional": "o1",
    "dropped": "d1",
    "called": None,
    "added": None,
}
NEW_ROW = {
    **OLD_ROW,
    "id": 2,
    "seen": 20,
    "renamed": None,
    "grown": "longer than five",
    "wider": 9223372036854775807,
    "digits": Decimal("5.25"),
    "longer": "123456789012345678901234567890123456789.75",
    "narrower": 8,
    "real4": 0.1,
    "whole": 2.5,
    "words": "forty-three",
    "day": dt.datetime.fromisoformat("2026-02-01 08:30:00.000001"),
    "feeling": "happy",
    "needed": None,
    "optional": "o2",
    "dropped": None,
    "called": "r2",
    "added": 4,
}
CHANGES = [
    ("type_changed", "grown", "character varying(5)", "character varying(50)"),
    ("type_changed", "wider", "integer", "bigint"),
    ("type_changed", "digits", "integer", "numeric(12,2)"),
    ("type_changed", "longer", "numeric(30,2)", "numeric(50,2)"),
    ("type_changed", "narrower", "bigint", "smallint"),
    ("type_changed", "real4", "real", "double precision"),
    ("type_changed", "whole", "bigint", "double precision"),
    ("type_changed", "words", "integer", "text"),
    ("type_changed", "day", "date", "timestamp without time zone"),
    ("became_nullable", "needed", None, None),
    ("became_not_null", "optional", None, None),
    ("column_dropped", "renamed", "text", None),
    ("column_dropped", "dropped", "text", None),
    ("column_added", "called", None, "text"),
    ("column_added", "added", None, "integer"),
]


MESSAGES = {  # what they end with: full refresh, by cursor
    "wider": ("integer became bigint. Stored as BIGINT, before as INTEGER.",) * 2,
    "digits": ("Stored as DECIMAL(12,2), before as INTEGER.", "Stored as DECIMAL(21,2), before as INTEGER."),
    "narrower": ("Stored as SMALLINT, before as BIGINT.", "Stored as BIGINT as before."),
    "grown": ("Stored as VARCHAR as before.",) * 2,
    "words": ("Stored as VARCHAR, before as INTEGER.",) * 2,
    "dropped": ("is gone from the source. The table here has it no more.", "keeps it, with null in new rows."),
    "added": ("type integer. Stored as INTEGER.", "as INTEGER; rows that were here before have null in it."),
    "needed": ("needed may be null now.",) * 2,
}


@pytest.mark.parametrize("how", ALL)
def test_every_kind_of_change_of_a_column(pg_database: PostgresDatabase, project: Project, how: dict[str, Any]) -> None:
    pg_database.execute(BEFORE)
    there = connect(project, pg_database, **how)
    pg_database.execute(AFTER)
    pg_database.execute(NEW)
    rows = sync(there)
    if how is FULL:
        expected = in_source(pg_database)
        for row in expected:
            row["longer"] = str(row["longer"])
        assert rows == expected
    else:
        assert rows == [OLD_ROW, NEW_ROW]
    assert told(there) == CHANGES
    (run,) = {change["run"] for change in there.table().changes}
    assert run == str(there.runs()[-1].id)
    messages = {change["column"]: change["message"] for change in there.table().changes}
    for column, (full, by_cursor) in MESSAGES.items():
        assert messages[column].endswith(full if how is FULL else by_cursor)
    assert "Perhaps it was renamed to called" in messages["renamed"]
    assert "Perhaps it was called renamed before" in messages["called"]
    again = sync(there)
    assert (again, told(there)) == (rows, CHANGES), "told once"


@pytest.mark.parametrize("how", BY_CURSOR)
def test_times_are_never_reinterpreted(pg_database: PostgresDatabase, project: Project, how: dict[str, Any]) -> None:
    pg_database.execute(PEOPLE + "; alter table people add at timestamp default '2026-07-01 12:00'")
    there = connect(project, pg_database, **how)
    before = stored(there)
    pg_database.execute(
        "alter table people alter at type timestamptz; insert into people values (3, 30, 'Joan', now())"
    )
    lifecycle.reload_source(there.source)
    there.work()
    table = there.table()
    assert (table.status, table.should_sync, stored(there)) == ("Failed", False, before)
    assert all(word in str(table.latest_error) for word in ('"at"', "timestamp[us]", "Resync"))
    (change,) = table.changes
    assert (change["to"], change["run"]) == ("timestamp with time zone", None), "not in the stored table yet"
    lifecycle.resync(table)
    there.work()
    assert stored(there) == in_source(pg_database)
    assert message(there, "type_changed", "at").endswith("Stored as TIMESTAMP WITH TIME ZONE, before as TIMESTAMP.")


@pytest.mark.parametrize("how", BY_CURSOR)
def test_a_cursor_that_is_ordered_otherwise_is_not_compared_with_what_was_seen(
    pg_database: PostgresDatabase, project: Project, how: dict[str, Any]
) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **how)
    pg_database.execute("alter table people alter seen type text; insert into people values (3, '100', 'Joan')")
    lifecycle.reload_source(there.source)
    there.work()
    table = there.table()
    assert (table.status, table.should_sync, stored(there)) == ("Failed", False, PLAIN)
    assert "seen" in str(table.latest_error)
    assert "resync" in str(table.latest_error)


@pytest.mark.parametrize("how", ALL)
def test_a_column_dropped_and_added_again_with_another_type(
    pg_database: PostgresDatabase, project: Project, how: dict[str, Any]
) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **how)
    pg_database.execute("alter table people drop name, add name int; insert into people values (3, 30, 7)")
    rows = sync(there)
    assert rows == (in_source(pg_database) if how is FULL else [*PLAIN, {"id": 3, "seen": 30, "name": "7"}])
    assert told(there) == [("type_changed", "name", "text", "integer")]


@pytest.mark.parametrize("how", ALL)
def test_a_table_made_anew_is_read_as_a_whole(
    pg_database: PostgresDatabase, project: Project, how: dict[str, Any]
) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **how)
    pg_database.execute("drop table people")
    pg_database.execute(PEOPLE.replace("'Ada'", "'Anna'").replace("(2, 20, 'Grace')", "(9, 5, 'Joan')"))
    assert sync(there) == in_source(pg_database)
    assert told(there) == [("table_made_anew", None, None, None)]
    assert message(there, "table_made_anew").endswith("It was read again as a whole.")
    pg_database.execute("insert into people values (4, 40, 'Mary')")
    sync(there)
    run = there.runs()[-1]
    assert (run.rows_synced, run.cursor_from) == ((3, None) if how is FULL else (1, "10")), "goes on from the new rows"
    assert len(told(there)) == 1


def test_a_table_dropped_for_a_while_keeps_its_data_and_says_when(
    pg_database: PostgresDatabase, project: Project
) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **INCREMENTAL)
    pg_database.execute("drop table people")
    lifecycle.reload_source(there.source)
    there.work()
    services.refresh(there.source)
    assert (there.table().status, stored(there)) == ("Failed", PLAIN)
    assert told(there) == [("table_dropped", None, None, None)]
    pg_database.execute(PEOPLE.replace("'Ada'", "'Anna'"))
    lifecycle.configure_table(there.table(), {"should_sync": True})
    assert sync(there) == in_source(pg_database)
    assert [change for change, *_ in told(there)] == ["table_made_anew", "table_dropped"]
    assert message(there, "table_dropped").endswith("It is back.")


def test_a_table_replaced_by_an_empty_one_becomes_empty(pg_database: PostgresDatabase, project: Project) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **INCREMENTAL)
    pg_database.execute("alter table people rename to old; create table people (like old including all)")
    assert sync(there) == []


def test_a_full_refresh_also_remembers_which_table_it_read(pg_database: PostgresDatabase, project: Project) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **FULL)
    lifecycle.configure_table(there.table(), INCREMENTAL)
    pg_database.execute("drop table people")
    pg_database.execute(PEOPLE.replace("(2, 20, 'Grace')", "(9, 5, 'Joan')"))
    assert sync(there) == in_source(pg_database)


def test_a_table_made_anew_between_discovery_and_read_is_met_again(
    pg_database: PostgresDatabase, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **INCREMENTAL)
    remake = ["drop table people", PEOPLE.replace("(2, 20, 'Grace')", "(9, 5, 'Joan')")]
    connector = registry.get("Postgres")
    real = connector.tables

    def tables(*arguments: Any, **more: Any) -> list[SourceTable]:
        found = real(*arguments, **more)
        while remake:
            pg_database.execute(remake.pop(0))
        return found

    monkeypatch.setattr(connector, "tables", tables)
    assert sync(there) == in_source(pg_database)
    assert there.runs()[-1].attempts == 2


def test_a_view_made_anew_is_the_same_view(pg_database: PostgresDatabase, project: Project) -> None:
    pg_database.execute(PEOPLE.replace("people", "base") + "; create view people as select * from base")
    there = connect(project, pg_database, **INCREMENTAL)
    pg_database.execute("drop view people; create view people as select * from base")
    sync(there)
    assert (there.runs()[-1].rows_synced, told(there)) == (0, [])
    pg_database.execute("drop view people; alter table base rename to people; update people set name = 'Anna'")
    assert sync(there) == in_source(pg_database), "a table in its place is another one"


@pytest.mark.parametrize("how", ALL)
def test_another_key(pg_database: PostgresDatabase, project: Project, how: dict[str, Any]) -> None:
    pg_database.execute(PEOPLE + "; alter table people alter name set not null")
    there = connect(project, pg_database, **how)
    pg_database.execute("alter table people drop constraint people_pkey, add primary key (id, name)")
    pg_database.execute("insert into people values (1, 5, 'Bea')")
    rows = sync(there)
    if how is APPEND:
        assert rows == PLAIN, "which does without a key: what is older than its cursor it does not see"
        pg_database.execute("insert into people values (1, 50, 'Cleo')")
        sync(there)
    else:
        assert rows == in_source(pg_database)
    assert told(there) == [("key_changed", None, "id", "id, name")]
    text = message(there, "key_changed")
    assert text.endswith("from id to id, name." if how is APPEND else "It was read again as a whole.")
    pg_database.execute("update people set seen = 60 where name = 'Bea'")
    sync(there)
    assert there.runs()[-1].rows_synced == (3 if how is FULL else 1)
    if how is INCREMENTAL:
        assert stored(there) == in_source(pg_database)


def test_a_key_column_that_was_widened_still_tells_rows_apart(pg_database: PostgresDatabase, project: Project) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **INCREMENTAL)
    pg_database.execute("alter table people alter id type bigint; update people set seen = 30 where id = 1")
    pg_database.execute("insert into people values (3000000000, 40, 'Joan')")
    assert sync(there) == in_source(pg_database)


def test_a_chosen_key_stays_the_key(pg_database: PostgresDatabase, project: Project) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **INCREMENTAL, primary_key_columns=["id", "name"])
    pg_database.execute("alter table people drop constraint people_pkey, add primary key (name)")
    sync(there)
    assert there.runs()[-1].rows_synced == 0


@contextmanager
def _broken(*_: object) -> Iterator[Reading]:
    raise SourceQueryError("division by zero")
    yield


@pytest.mark.parametrize("how", [ALL[0], BY_CURSOR[0]])
def test_a_run_that_fails_after_its_discovery_leaves_one_change_and_a_later_one_completes_it(
    pg_database: PostgresDatabase, project: Project, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **how)
    pg_database.execute("alter table people add more int default 1; insert into people values (3, 30, 'Joan', 2)")
    with monkeypatch.context() as patch:
        patch.setattr(registry.get("Postgres"), "read", _broken)
        lifecycle.reload_source(there.source)
        there.work()
    (change,) = there.table().changes
    assert (change["change"], change["run"]) == ("column_added", None)
    sync(there)
    (after,) = there.table().changes
    assert (after["at"], after["run"]) == (change["at"], str(there.runs()[-1].id))
    assert after["message"].startswith(change["message"])


class Died(BaseException):
    """Stands for the process being gone."""


def test_a_run_that_dies_after_its_commit_leaves_one_change_that_the_next_one_completes(
    pg_database: PostgresDatabase, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **INCREMENTAL)
    pg_database.execute("drop table people")
    pg_database.execute(PEOPLE.replace("'Ada'", "'Anna'"))
    lifecycle.reload_source(there.source)
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise Died

        patch.setattr(endings, "complete", die)
        with pytest.raises(Died):
            there.work()
    Task.objects.update(holder=None)  # what the reaper does
    there.work()
    assert stored(there) == in_source(pg_database)
    pg_database.execute("insert into people values (3, 30, 'Joan')")
    assert sync(there) == in_source(pg_database)
    assert there.runs()[-1].rows_synced == 1, "it was not read as a whole twice"
    (change,) = there.table().changes
    assert (change["change"], change["run"]) == ("table_made_anew", str(there.runs()[-1].id))


@pytest.mark.parametrize("how", [ALL[0], BY_CURSOR[0]])
def test_a_change_seen_by_hand_first_is_completed_by_the_run(
    pg_database: PostgresDatabase, project: Project, how: dict[str, Any]
) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **how)
    pg_database.execute("alter table people alter seen type bigint")
    services.refresh(there.source)
    services.refresh(there.source)
    assert [(c["change"], c["run"]) for c in there.table().changes] == [("type_changed", None)]
    pg_database.execute("insert into people values (3, 30, 'Joan')")
    assert sync(there) == in_source(pg_database)
    assert message(there, "type_changed", "seen").endswith("Stored as BIGINT, before as INTEGER.")


def test_without_new_rows_a_change_stays_open(pg_database: PostgresDatabase, project: Project) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **APPEND)
    pg_database.execute("alter table people add more int")
    assert sync(there) == PLAIN
    (change,) = there.table().changes
    assert change["run"] is None


def test_a_change_seen_while_the_run_reads_is_left_to_the_next_one(
    pg_database: PostgresDatabase, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **FULL)
    pg_database.execute("alter table people add first int")
    connector = registry.get("Postgres")
    real = connector.read

    @contextmanager
    def read(*arguments: Any) -> Iterator[Reading]:
        with real(*arguments) as reading:
            yield reading
        pg_database.execute("alter table people add second int")  # it waits for the reader's transaction
        services.refresh(there.source)

    with monkeypatch.context() as patch:
        patch.setattr(connector, "read", read)
        sync(there)
    assert [(c["column"], c["run"]) for c in there.table().changes] == [("second", None), ("first", None)]
    sync(there)
    assert {c["run"] for c in there.table().changes} == {str(there.runs()[-1].id)}


def test_tables_that_nobody_wanted_keep_no_history(pg_database: PostgresDatabase, project: Project) -> None:
    pg_database.execute(PEOPLE)
    pg_database.execute("create table pets (id int)")
    there = connect(project, pg_database, **FULL)
    services.refresh(there.source)
    pg_database.execute("alter table pets add name text; alter table people add more text")
    services.refresh(there.source)
    assert there.table("pets").changes == []
    assert [column["name"] for column in there.table("pets").columns] == ["id", "name"]
    assert len(there.table("people").changes) == 1


def test_only_the_newest_changes_are_kept(pg_database: PostgresDatabase, project: Project) -> None:
    pg_database.execute(PEOPLE)
    there = connect(project, pg_database, **FULL)
    many = ", ".join(f"add c{number} int" for number in range(shape.KEPT))
    pg_database.execute("alter table people alter name type varchar(9)")
    services.refresh(there.source)
    pg_database.execute(f"alter table people {many}")
    services.refresh(there.source)
    changes = there.table().changes
    assert len(changes) == shape.KEPT
    assert {change["change"] for change in changes} == {"column_added"}
