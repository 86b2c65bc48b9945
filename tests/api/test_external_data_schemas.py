"""GET and PATCH external_data_schemas/: the tables of sources and their settings."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hedgerow.accounts.models import AccessRule, Membership
from hedgerow.connectors.contract import Column
from hedgerow.sources.models import SourceTable
from hedgerow.sync.models import Run
from hedgerow.work.models import Beat
from tests.api.conftest import Caller, envelope
from tests.api.sources import create, give_data, table_of
from tests.support.fake_connector import ID, FakeConnector, a_table
from tests.support.people import People

pytestmark = pytest.mark.usefixtures("fake")

CURSOR = {"incremental_field": "id", "incremental_field_type": "integer"}


@pytest.fixture
def schemas(base: str) -> str:
    return f"{base}/external_data_schemas/"


@pytest.fixture
def source(alice: Caller, base: str) -> Any:
    return create(alice, base, {"name": "orders"}, {"name": "countries"})


@pytest.fixture
def url(schemas: str, source: Any) -> str:
    """Of `orders`, disabled and not configured."""
    return f"{schemas}{source['schemas'][1]['id']}/"


def names(answer: Any) -> list[str]:
    return [s["name"] for s in answer.json()["results"]]


# --- reading (§8.1) ----------------------------------------------------------------------------------------------


def test_the_list_shows_the_tables_of_all_live_sources(alice: Caller, base: str, schemas: str, source: Any) -> None:
    other = create(alice, base, {"name": "orders"}, prefix="b")
    assert names(alice.get(schemas)) == ["orders", "countries", "orders"]
    assert alice.get(schemas).json()["results"][0] == other["schemas"][0]
    alice.delete(f"{base}/external_data_sources/{other['id']}/")
    assert names(alice.get(schemas)) == ["countries", "orders"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=ORD", ["orders"]),
        ("search=r%20s", ["countries", "orders"]),
        ("search=zebra", []),
        ("search=.", []),
        ("source_id=nope", []),
        ("source_id=0199d3aa-51c5-7b0e-9a35-3d8f7f0c2e11", []),
        ("source_id=", ["countries", "orders"]),
        ("limit=1&offset=1", ["orders"]),
        ("limit=0&offset=-1", ["countries", "orders"]),
    ],
)
def test_the_list_is_narrowed(alice: Caller, schemas: str, source: Any, query: str, found: list[str]) -> None:
    assert names(alice.get(f"{schemas}?{query}")) == found


def test_the_list_of_one_source(alice: Caller, base: str, schemas: str, source: Any) -> None:
    create(alice, base, {"name": "orders"}, prefix="b")
    assert names(alice.get(f"{schemas}?source_id={source['id'].upper()}")) == ["countries", "orders"]


def test_a_synced_table_is_shown_with_its_columns(alice: Caller, url: str, source: Any) -> None:
    table = give_data(source)
    common = {"schema_valid": True, "fields": None, "table": None, "chain": None}
    assert alice.get(url).json()["table"] == {
        "id": str(table.id),
        "name": "mysql_orders",
        "columns": [
            {"key": "id", "name": "id", "type": "integer", **common},
            {"key": "note", "name": "note", "type": "string", **common},
        ],
        "row_count": 3,
    }


def test_changes_of_the_shape_are_shown_newest_first_and_few_of_them_in_lists(
    alice: Caller, schemas: str, base: str, url: str, fake: FakeConnector, source: Any
) -> None:
    alice.patch(url, {"sync_type": "full_refresh"})
    for number in range(25):
        fake.offered = [a_table("orders", ID, Column("note", f"varchar({number})", "string"))]
        assert alice.post(f"{base}/external_data_sources/{source['id']}/refresh_schemas/").status_code == 200
    one = alice.get(url).json()["schema_changes"]
    newest = one[0]
    assert (newest["change"], newest["column"]) == ("type_changed", "note")
    assert (newest["from"], newest["to"]) == ("varchar(23)", "varchar(24)")
    assert newest["message"] == "note: varchar(23) became varchar(24)."
    assert newest["run"] is None
    assert newest["at"].endswith("Z")
    assert [c["at"] for c in one] == sorted((c["at"] for c in one), reverse=True)
    (listed,) = [s for s in alice.get(schemas).json()["results"] if s["name"] == "orders"]
    (inside,) = [
        s for s in alice.get(f"{base}/external_data_sources/{source['id']}/").json()["schemas"] if s["name"] == "orders"
    ]
    assert listed["schema_changes"] == inside["schema_changes"] == one[:20]
    assert len(one) == 26


def test_the_list_costs_a_constant_number_of_statements(alice: Caller, schemas: str, source: Any) -> None:
    alice.get(schemas)
    counts = []
    for number in (0, 50):
        SourceTable.objects.bulk_create(SourceTable(source_id=source["id"], name=f"t{n}") for n in range(number))
        with CaptureQueriesContext(connection) as queries:
            alice.get(schemas)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


def test_ids_of_nothing_are_not_found(alice: Caller, schemas: str, source: Any) -> None:
    for unknown in (source["id"], "5", "0199d3aa-51c5-7b0e-9a35-3d8f7f0c2e11"):
        assert envelope(alice.get(f"{schemas}{unknown}/"))[:3] == (404, "not_found", "Not found.")
        assert alice.patch(f"{schemas}{unknown}/", {}).status_code == 404


def test_an_id_may_be_written_in_capitals(alice: Caller, schemas: str, source: Any) -> None:
    table = source["schemas"][0]
    assert alice.get(f"{schemas}{table['id'].upper()}").json() == table


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_schemas_are_made_by_sources_only(alice: Caller, schemas: str, method: str) -> None:
    assert envelope(alice.send(method, schemas))[:2] == (405, "method_not_allowed")


# --- changing (§8.2, §8.3) ---------------------------------------------------------------------------------------


def test_only_what_is_named_changes(alice: Caller, url: str) -> None:
    alice.patch(url, {"sync_type": "append", **CURSOR})
    before = alice.get(url).json()
    answer = alice.patch(url, {"sync_frequency": "1hour"})
    assert answer.status_code == 200, answer.content
    assert answer.json() == before | {"sync_frequency": "1hour"}


def test_the_object_as_it_was_read_changes_nothing(alice: Caller, url: str, source: Any) -> None:
    give_data(source)
    alice.patch(url, {"sync_type": "incremental", "should_sync": True, **CURSOR})
    Run.objects.all().delete()
    before = alice.get(url).json()
    answer = alice.patch(url, before | {"status": "Failed", "name": "x", "table": None, "incremental": False})
    assert (answer.status_code, answer.json()) == (200, before)
    assert not Run.objects.exists()


def test_a_form_body_sets_single_values(alice: Caller, url: str) -> None:
    form = urlencode({"should_sync": "true", "sync_type": "full_refresh", "primary_key_columns": '["note"]'})
    answer = alice.patch(url, form, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200, answer.content
    assert (answer.json()["should_sync"], answer.json()["primary_key_columns"]) == (True, ["note"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sync_type": "weekly"}, ("invalid_input", "Invalid sync type", "sync_type")),
        ({"sync_type": "cdc"}, ("invalid_input", "CDC is not enabled for this team", "sync_type")),
        (
            {"should_sync": "true"},
            ("invalid_input", "Sync type must be set up first before enabling schema", None),
        ),
        ({"should_sync": "x"}, ("invalid_input", "Must be a valid boolean.", "should_sync")),
        ({"sync_frequency": "2h"}, ("invalid_choice", '"2h" is not a valid choice.', "sync_frequency")),
        ({"sync_time_of_day": "noon"}, ("invalid_input", "Invalid sync time of day", "sync_time_of_day")),
        (
            {"sync_type": "append", "should_sync": True, "incremental_field": "id"},
            ("invalid_input", "Incremental schemas given do not have an incremental field type set", None),
        ),
    ],
)
def test_a_refused_change_changes_nothing(
    alice: Caller, url: str, changes: dict[str, Any], expected: tuple[str, str, str | None]
) -> None:
    before = alice.get(url).json()
    answer = alice.patch(url, {"sync_frequency": "1hour", **changes})
    assert envelope(answer) == (400, *expected)
    assert answer.json()["message"] == expected[1]
    assert alice.get(url).json() == before


def test_a_broken_request_is_told_before_an_unknown_id(alice: Caller, schemas: str) -> None:
    unknown = f"{schemas}0199d3aa-51c5-7b0e-9a35-3d8f7f0c2e11/"
    assert alice.patch(unknown, {"sync_type": "weekly"}).status_code == 400


def test_enabling_a_new_table_schedules_and_runs_it(alice: Caller, url: str, source: Any) -> None:
    answer = alice.patch(url, {"should_sync": True, "sync_type": "full_refresh"})
    assert (answer.json()["status"], answer.json()["should_sync"]) == ("Running", True)
    assert Beat.objects.get().subject == str(table_of(source).id)
    assert Run.objects.get().source_table_id == table_of(source).id


def test_a_table_the_engine_gave_up_on_is_the_user_s_again_once_touched(
    alice: Caller, base: str, url: str, source: Any
) -> None:
    give_data(source, status="Failed", latest_error="no right", switched_off_by_engine=True, sync_type="full_refresh")
    source_url = f"{base}/external_data_sources/{source['id']}/"
    assert alice.get(source_url).json()["status"] == "Failed"
    SourceTable.objects.update(unreachable_runs=3)
    alice.patch(url, {"should_sync": False})
    row = table_of(source)
    assert (row.switched_off_by_engine, row.unreachable_runs) == (False, 0)
    assert alice.get(source_url).json()["status"] == "Paused"


def test_midnight_is_a_time_and_null_clears_it(alice: Caller, url: str) -> None:
    assert alice.patch(url, {"sync_time_of_day": "00:00"}).json()["sync_time_of_day"] == "00:00:00"
    assert alice.patch(url, {"sync_time_of_day": None}).json()["sync_time_of_day"] is None


# --- who may -----------------------------------------------------------------------------------------------------


def test_schemas_follow_the_level_of_their_source(
    bob: Caller, vera: Caller, charlie: Caller, schemas: str, source: Any, url: str, people: People
) -> None:
    assert vera.get(url).status_code == 200
    assert envelope(vera.patch(url, {}))[2] == "You do not have editor access to this resource."
    assert envelope(charlie.get(url))[2] == "Project not found."
    AccessRule.objects.create(
        project=people.project,
        resource="external_data_source",
        object_id=source["id"],
        membership=Membership.objects.get(user=people.bob),
        level="none",
    )
    assert names(bob.get(schemas)) == []
    assert envelope(bob.get(url))[:2] == (403, "permission_denied")
    assert envelope(bob.post(f"{url}reload/"))[2] == "You do not have editor access to this resource."


def test_the_maker_of_a_source_keeps_its_tables(bob: Caller, base: str, schemas: str, people: People) -> None:
    own = create(bob, base, {"name": "orders"})["schemas"][0]
    AccessRule.objects.create(
        project=people.project,
        resource="external_data_source",
        membership=Membership.objects.get(user=people.bob),
        level="none",
    )
    assert bob.patch(f"{schemas}{own['id']}/", {"sync_frequency": "never"}).json()["sync_frequency"] == "never"
