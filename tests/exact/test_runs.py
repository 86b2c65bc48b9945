"""Whole runs, with discovery, over random tables and over chosen bad values."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from hypothesis import given, note, seed, settings

from hedgerow.accounts import services as accounts
from hedgerow.accounts.models import Project
from hedgerow.lake.storage import Storage
from hedgerow.sources import services
from hedgerow.sync import lifecycle, report
from hedgerow.sync.erasing import location_of
from tests.exact.kinds import MAKE_TYPES
from tests.exact.tables import Table, There, expected, tables
from tests.exact.test_round_trip import compare, usual
from tests.support import soak
from tests.support.postgres import PostgresDatabase, PostgresServer
from tests.sync.conftest import Installation

pytestmark = [pytest.mark.django_db, pytest.mark.soak]
BAD = """
    create table t (id int primary key, price numeric(5,2), day date, a int[]);
    insert into t values (1, 'NaN', 'infinity', '[0:0]={7}'), (2, 2.5, '2024-01-01', '{8}'), (3, 'NaN', null, null);
"""
CURSOR = {"incremental_field": "id", "incremental_field_type": "integer"}


@pytest.fixture
def project(db: None) -> Project:
    return accounts.create_project("Shop", accounts.create_user("ann@example.com", None))


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    """With the types that random tables use."""
    postgres.start()
    database = postgres.create_database()
    database.execute(MAKE_TYPES)
    yield database
    database.drop()


def connect(project: Project, database: PostgresDatabase, *, prefix: str = "", **schema: Any) -> Installation:
    """Connect a source with one table, which has not run yet."""
    chosen = {"should_sync": True, "sync_type": "full_refresh", **schema}
    data = {"source_type": "Postgres", "prefix": prefix, "payload": {**database.settings(), "schemas": [chosen]}}
    return Installation(project, lifecycle.connect(project=project, user=None, data=data))


def test_whole_runs_copy_any_table(project: Project, database: PostgresDatabase) -> None:
    with database.connect() as connection:
        version = connection.info.server_version
    numbers = iter(range(10**9))

    def holds(table: Table) -> None:
        note(repr(table))
        with There(database, table) as there:
            key = [column.name for column in table.key]
            cursor = {"incremental_field": table.changed.name, "incremental_field_type": "integer"}
            wanted = {"name": table.name, "sync_type": "incremental", "primary_key_columns": key, **cursor}
            installed = connect(project, database, prefix=f"p{next(numbers)}", **wanted)
            for is_second in (False, True):
                if is_second:
                    there.change()
                lifecycle.reload_source(installed.source)
                installed.work()
                run = installed.runs()[-1]
                assert (run.status, run.latest_error) == ("Completed", None)
                place = location_of(installed.table(table.name))
                now = expected(table, there.truth(), keeps_text=False)
                compare(Storage(django_settings.CONFIG.storage), place, table, now, keeps_text=False)
                read = expected(table, there.truth(run.cursor_from), keeps_text=False)
                assert {column: loss["count"] for column, loss in run.losses.items()} == read.losses
            shown = {column["name"]: column for column in report.types(installed.table(table.name))}
            assert {name for name, column in shown.items() if not column["lossless"]} == {
                column.name for column in table.columns if column.kind.can_lose
            }
            disconnect(installed)

    bounded = settings(usual, max_examples=soak.times(5))(given(table=tables(version))(holds))
    (seed("runs")(bounded) if soak.FACTOR == 1 else bounded)()


def disconnect(installed: Installation) -> None:
    """No later example discovers or runs it."""
    lifecycle.disconnect(installed.source)
    installed.work()


def test_a_run_tells_what_was_lost_and_where(project: Project, pg_database: PostgresDatabase) -> None:
    pg_database.execute(BAD)
    installed = connect(project, pg_database, name="t")
    installed.work()
    (run,) = installed.runs()
    found = {column: (loss["count"], loss["sample"]) for column, loss in run.losses.items()}
    assert found == {"price": (2, ["id = 1", "id = 3"]), "day": (1, ["id = 1"]), "a": (1, ["id = 1"])}
    shown = {c["name"]: (c["source_type"], c["stored_type"], c["nulled"]) for c in report.types(installed.table("t"))}
    assert shown == {
        "id": ("integer", "integer", 0),
        "price": ("numeric(5,2)", "decimal(5,2)", 2),
        "day": ("date", "date", 1),
        "a": ("integer[]", "varchar", 1),
    }


def test_a_run_keeps_the_text_of_what_was_lost(project: Project, pg_database: PostgresDatabase) -> None:
    pg_database.execute(BAD)
    installed = connect(project, pg_database, name="t", bad_values="keep_text")
    installed.work()
    rows = [(row[0], *row[4:]) for row in installed.stored("t")]
    assert rows == [(1, "NaN", "infinity", "[0:0]={7}"), (2, None, None, None), (3, "NaN", None, None)]


def test_a_cursor_table_gets_the_texts_of_new_rows_only(project: Project, pg_database: PostgresDatabase) -> None:
    pg_database.execute(BAD)
    installed = connect(project, pg_database, name="t", sync_type="incremental", **CURSOR)
    installed.work()
    services.configure(installed.table("t"), {"bad_values": "keep_text"})
    pg_database.execute("insert into t values (4, 'NaN', '2024-01-01', null)")
    lifecycle.reload_source(installed.source)
    installed.work()
    assert [(row[0], *row[4:]) for row in installed.stored("t")] == [
        (1, None, None, None),
        (2, None, None, None),
        (3, None, None, None),
        (4, "NaN", None, None),
    ]


def test_a_run_that_may_lose_nothing_fails_for_good_and_writes_nothing(
    project: Project, pg_database: PostgresDatabase
) -> None:
    pg_database.execute(BAD)
    installed = connect(project, pg_database, name="t", bad_values="fail")
    installed.work()
    (run,), table = installed.runs(), installed.table("t")
    assert (run.status, table.should_sync, table.table) == ("Failed", False, None)
    assert run.latest_error is not None
    for part in ('Column "price" of table "t"', "NaN", "id = 1", "bad_values"):
        assert part in run.latest_error
    services.configure(table, {"bad_values": "null_and_count", "should_sync": True})
    lifecycle.reload_source(installed.source)
    installed.work()
    assert installed.runs()[-1].status == "Completed"
