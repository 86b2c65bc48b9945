"""GET and DELETE warehouse_tables/ (api_conventions.md §12.2)."""

from dataclasses import replace
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pytest
from django.conf import settings

from hedgerow.accounts.models import AccessRule, Project
from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7
from hedgerow.lake import maintain, write
from hedgerow.lake.storage import Storage
from hedgerow.sources.models import Source, SourceTable
from hedgerow.warehouse import tables
from hedgerow.warehouse.models import Table
from tests.api.conftest import Caller, envelope
from tests.support import shop
from tests.support.people import People

pytestmark = pytest.mark.django_db
RUN: Final = "01890000-0000-7000-8000-000000000001"


@pytest.fixture
def path(base: str) -> str:
    return f"{base}/warehouse_tables/"


def registered(project: Project, name: str, source: Source | None = None) -> Table:
    table_id = uuid7()
    return tables.register(
        project=project,
        name=name,
        location=f"{project.pk}/{name}-{table_id.hex[-8:]}",
        columns=[{"name": "id", "type": "integer"}, {"name": "total", "type": "decimal"}],
        row_count=3,
        version=1,
        owner_kind=tables.SOURCE if source else "",
        owner_id=str(source.id) if source else "",
        table_id=table_id,
    )


@pytest.fixture
def source(people: People) -> Source:
    return Source.objects.create(project=people.project, source_type="Postgres", prefix="shop", created_by=people.alice)


@pytest.fixture
def orders(people: People, source: Source) -> Table:
    """A table synced from a source."""
    table = registered(people.project, "shop_postgres_orders", source)
    SourceTable.objects.create(source=source, name="orders", table=table, should_sync=True, last_synced_at=now())
    return table


def test_a_table_shows_every_member(alice: Caller, path: str, orders: Table, source: Source) -> None:
    body = alice.get(f"{path}{orders.id}/").json()
    assert body.pop("created_at").endswith("Z")
    origin, schema = body.pop("external_data_source"), body.pop("external_schema")
    assert body == {
        "id": str(orders.id),
        "deleted": False,
        "name": "shop_postgres_orders",
        "format": "Delta",
        "created_by": None,
        "url_pattern": None,
        "credential": None,
        "columns": [
            {
                "key": name,
                "name": name,
                "type": kind,
                "schema_valid": True,
                "fields": None,
                "table": None,
                "chain": None,
            }
            for name, kind in (("id", "integer"), ("total", "decimal"))
        ],
        "row_count": 3,
    }
    assert (origin["id"], origin["source_type"], origin["created_by"]) == (
        str(source.id),
        "Postgres",
        "alice@example.com",
    )
    assert (schema["name"], schema["should_sync"]) == ("orders", True)


def test_the_list_is_a_page_newest_first_and_searched_by_name(
    alice: Caller, path: str, orders: Table, people: People
) -> None:
    registered(people.project, "people")
    registered(people.elsewhere, "hidden")
    body = alice.get(path).json()
    assert [row["name"] for row in body["results"]] == ["people", "shop_postgres_orders"]
    assert body["results"][1] == alice.get(f"{path}{orders.id}/").json()
    assert [row["name"] for row in alice.get(f"{path}?search=ORD").json()["results"]] == ["shop_postgres_orders"]
    page = alice.get(f"{path}?limit=1").json()
    assert (page["count"], len(page["results"]), page["previous"]) == (2, 1, None)


def test_the_list_costs_the_same_for_any_number_of_tables(
    alice: Caller, path: str, source: Source, people: People, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        table = registered(people.project, f"table_{number}", source)
        SourceTable.objects.create(source=source, name=str(number), table=table)
    with django_assert_max_num_queries(14):
        assert len(alice.get(path).json()["results"]) == 12


def test_dropped_tables_and_those_of_others_are_not_found(
    alice: Caller, charlie: Caller, path: str, orders: Table
) -> None:
    assert envelope(charlie.get(path))[:3] == (404, "not_found", "Project not found.")
    tables.drop(orders)
    for address in (f"{path}{orders.id}/", f"{path}{uuid7()}/", f"{path}nonsense/"):
        assert envelope(alice.get(address))[:3] == (404, "not_found", "Not found.")
    assert alice.get(path).json()["count"] == 0


def test_tables_follow_the_rules_of_their_source(
    bob: Caller, path: str, orders: Table, source: Source, people: People
) -> None:
    free = registered(people.project, "free")
    AccessRule.objects.create(project=people.project, resource=tables.SOURCE, object_id=str(source.id), level="none")
    assert [row["name"] for row in bob.get(path).json()["results"]] == [free.name]
    assert envelope(bob.get(f"{path}{orders.id}/"))[:3] == (
        403,
        "permission_denied",
        "You do not have viewer access to this resource.",
    )


def test_tables_of_sources_cannot_be_deleted_and_others_can(
    alice: Caller, vera: Caller, path: str, orders: Table, people: People
) -> None:
    assert envelope(alice.delete(f"{path}{orders.id}/"))[:3] == (400, "invalid_input", "Can't delete a sourced table")
    free = registered(people.project, "free")
    assert envelope(vera.delete(f"{path}{free.id}/"))[0] == 403
    assert alice.delete(f"{path}{free.id}/").status_code == 204
    assert envelope(alice.get(f"{path}{free.id}/"))[0] == 404


def test_tables_are_not_made_by_hand(alice: Caller, path: str, orders: Table) -> None:
    assert envelope(alice.post(path, {"name": "x"}))[:3] == (405, "method_not_allowed", 'Method "POST" not allowed.')
    assert envelope(alice.patch(f"{path}{orders.id}/", {}))[0] == 405


@pytest.fixture
def people_table(people: People) -> Table:
    """A table with data: two versions and upkeep."""
    storage = Storage(settings.CONFIG.storage)
    table = shop.register(storage, people.project, "people", pa.table({"n": [1]}))
    for fence in range(2, 5):
        rows = pa.table({"n": [fence]})
        facts = write.CommitFacts(RUN, fence)
        write.append(
            storage, table.location, rows.schema, rows.to_batches(), partial(replace, facts), lambda _rows: None
        )
    maintain.tidy(storage, table.location, keep_hours=6)
    return table


def test_the_versions_of_a_table_are_a_page_newest_first(alice: Caller, path: str, people_table: Table) -> None:
    body = alice.get(f"{path}{people_table.id}/versions/").json()
    newest, replaced = body["results"][0], body["results"][1]
    assert (body["count"], body["next"], body["previous"]) == (5, None, None)
    assert newest.pop("created_at").endswith("Z")
    assert newest.pop("size_bytes") > 0
    assert newest == {"version": 4, "expires_at": None, "kind": "upkeep", "run": None, "row_count": 4}
    assert [(row["version"], row["kind"], row["row_count"]) for row in body["results"][1:]] == [
        (3, "sync", 4),
        (2, "sync", 3),
        (1, "sync", 2),
        (0, "sync", 1),
    ]
    assert replaced["run"] == RUN
    assert replaced["expires_at"] > replaced["created_at"]
    page = alice.get(f"{path}{people_table.id}/versions/?limit=2&offset=3").json()
    assert ([row["version"] for row in page["results"]], page["count"]) == ([1, 0], 5)


def test_versions_are_shown_to_those_who_may_see_the_table(
    alice: Caller, bob: Caller, charlie: Caller, vera: Caller, api: Any, path: str, people: People, people_table: Table
) -> None:
    address = f"{path}{people_table.id}/versions/"
    assert envelope(charlie.get(address))[:3] == (404, "not_found", "Project not found.")
    assert envelope(alice.get(f"{path}{uuid7()}/versions/"))[:3] == (404, "not_found", "Not found.")
    assert envelope(alice.post(address, {}))[0] == 405
    assert vera.get(address).status_code == 200
    assert envelope(api(people.key(people.alice, ["query:read"])).get(address))[:3] == (
        403,
        "permission_denied",
        "API key missing required scope 'warehouse_table:read'",
    )
    AccessRule.objects.create(
        project=people.project, resource=tables.RESOURCE, object_id=str(people_table.id), level="none"
    )
    assert envelope(bob.get(address))[0] == 403
    tables.drop(people_table)
    assert envelope(alice.get(address))[0] == 404


def test_a_table_without_data_has_no_versions(alice: Caller, path: str, orders: Table) -> None:
    assert alice.get(f"{path}{orders.id}/versions/").json()["results"] == []


def test_scopes(people: People, api: Any, path: str, orders: Table) -> None:
    reader = api(people.key(people.alice, ["warehouse_table:read"]))
    assert reader.get(path).status_code == 200
    denied = envelope(reader.delete(f"{path}{orders.id}/"))
    assert denied[:3] == (403, "permission_denied", "API key missing required scope 'warehouse_table:write'")


def test_the_rules_of_a_table_can_be_read_and_set(alice: Caller, bob: Caller, path: str, orders: Table) -> None:
    address = f"{path}{orders.id}/access_controls/"
    assert alice.put(address, {"access_level": "none"}).status_code == 200
    assert [rule["access_level"] for rule in alice.get(address).json()["access_controls"]] == ["none"]
    assert envelope(bob.get(f"{path}{orders.id}/"))[0] == 403
