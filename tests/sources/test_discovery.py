"""Tables that appear, vanish and come back."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hedgerow.core.clock import now
from hedgerow.core.errors import NotFoundError
from hedgerow.sources import discovery
from hedgerow.sources.discovery import Discovered
from hedgerow.sources.models import Source, SourceTable
from hedgerow.warehouse.models import Table
from tests.support.fake_connector import ID, NAME, a_table
from tests.support.people import People


@pytest.fixture
def source(people: People) -> Source:
    return Source.objects.create(project=people.project, source_type=NAME)


def live(source: Source) -> dict[str, SourceTable]:
    return {t.name: t for t in source.source_tables.filter(deleted_at=None)}


def synced(source: Source, name: str, **values: Any) -> SourceTable:
    """A table that has data."""
    table = Table.objects.create(project=source.project, name=name, location=name)
    defaults = {"should_sync": True, "sync_type": "full_refresh", "status": "Completed"}
    return SourceTable.objects.create(source=source, name=name, table=table, **{**defaults, **values})


def test_a_new_table_becomes_known_and_stays_off(source: Source) -> None:
    assert discovery.apply(source, [a_table("orders"), a_table("users")]) == Discovered(2, 0, 2)
    table = live(source)["orders"]
    assert (table.should_sync, table.sync_type, table.status, table.frequency) == (False, None, None, "6hour")
    assert table.detected_key == ["id"]
    assert [c["name"] for c in table.columns] == ["id", "updated_at", "note"]


def test_repeating_it_changes_nothing_and_writes_nothing(source: Source) -> None:
    tables = [a_table("orders"), a_table("users")]
    synced(source, "gone")
    discovery.apply(source, tables)
    before = list(source.source_tables.order_by("id").values())
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert discovery.apply(source, tables) == Discovered(0, 0, 2)
    assert len(queries) == 1
    assert list(source.source_tables.order_by("id").values()) == before


def test_a_table_that_never_had_data_goes_with_its_origin(source: Source) -> None:
    discovery.apply(source, [a_table("orders"), a_table("users")])
    assert discovery.apply(source, [a_table("users")]) == Discovered(0, 1, 1)
    assert live(source).keys() == {"users"}


def test_a_table_with_data_stays_queryable_but_is_switched_off(source: Source) -> None:
    synced(source, "orders", status="Failed", latest_error="broken")
    assert discovery.apply(source, []) == Discovered(0, 0, 0)
    table = live(source)["orders"]
    assert (table.should_sync, table.status, table.table is not None) == (False, "Completed", True)


def test_a_table_that_is_gone_says_so_once_whoever_noticed(source: Source) -> None:
    synced(source, "orders")
    synced(source, "broken", status="Failed", should_sync=False, switched_off_by_engine=True)
    synced(source, "running", status="Running")
    for _ in range(2):
        discovery.apply(source, [])
        assert {t.name: [c["change"] for c in t.changes] for t in live(source).values()} == {
            "orders": ["table_dropped"],
            "broken": ["table_dropped"],
            "running": ["table_dropped"],
        }


def test_what_the_engine_gave_up_on_stays_red(source: Source) -> None:
    synced(source, "orders", status="Failed", should_sync=False, switched_off_by_engine=True, latest_error="gone")
    discovery.apply(source, [])
    assert live(source)["orders"].status == "Failed"


def test_a_running_table_is_left_to_its_own_run(source: Source) -> None:
    synced(source, "orders", status="Running")
    SourceTable.objects.create(source=source, name="first_run", status="Running", should_sync=True)
    discovery.apply(source, [])
    assert {(t.name, t.should_sync, t.status) for t in live(source).values()} == {
        ("orders", True, "Running"),
        ("first_run", True, "Running"),
    }


def test_a_deleted_table_comes_back_disabled_as_the_same_one(source: Source) -> None:
    gone = SourceTable.objects.create(
        source=source,
        name="orders",
        deleted_at=now(),
        sync_type="incremental",
        cursor_field="id",
        latest_error="old",
        status="Failed",
    )
    assert discovery.apply(source, [a_table("orders")]) == Discovered(1, 0, 1)
    table = live(source)["orders"]
    assert (table.id, table.sync_type, table.cursor_field) == (gone.id, "incremental", "id")
    assert (table.should_sync, table.status, table.latest_error) == (False, None, None)
    assert table.columns


def test_what_the_source_says_of_a_table_is_kept_up_to_date(source: Source) -> None:
    synced(source, "orders", frequency="1hour")
    discovery.apply(source, [a_table("orders")])
    discovery.apply(source, [a_table("orders", ID, key=())])
    table = live(source)["orders"]
    assert ([c["name"] for c in table.columns], table.detected_key) == (["id"], [])
    assert (table.should_sync, table.status, table.frequency) == (True, "Completed", "1hour")


def test_names_differing_in_case_are_two_tables(source: Source) -> None:
    discovery.apply(source, [a_table("Users"), a_table("users"), a_table('a "b" 😀.c')])
    assert live(source).keys() == {"Users", "users", 'a "b" 😀.c'}


def test_a_deleted_source_gets_no_tables(source: Source) -> None:
    Source.objects.update(deleted_at=now())
    with pytest.raises(NotFoundError):
        discovery.apply(source, [a_table("orders")])
    assert not source.source_tables.exists()


def test_hundreds_of_tables_cost_few_statements(source: Source) -> None:
    counts = []
    for number in (20, 200):
        SourceTable.objects.all().delete()
        with CaptureQueriesContext(connection) as queries:
            discovery.apply(source, [a_table(f"t{n}") for n in range(number)])
        counts.append(len(queries))
    assert counts[1] <= counts[0] + 12  # SQLite takes 999 values in one statement
    with CaptureQueriesContext(connection) as queries:
        discovery.apply(source, [])
    assert len(queries) <= 10


@pytest.mark.django_db(transaction=True)
def test_of_discoveries_at_once_none_makes_a_table_twice(people: People) -> None:
    source = Source.objects.create(project=people.project, source_type=NAME)
    tables = [a_table(f"t{n}") for n in range(30)]
    start, failures = threading.Barrier(4), []

    def discover() -> None:
        start.wait()
        try:
            discovery.apply(source, tables)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=discover) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(live(source)) == sorted(t.name for t in tables)
