"""What can be done with a source besides reading and changing it: delete, reload, refresh, preview, revenue flags."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from hedgerow.core.errors import CredentialsError, OutsideError, SourceQueryError, UnreachableError
from hedgerow.sources.models import Source, SourceTable
from hedgerow.sync.models import Run
from hedgerow.work.models import Beat
from tests.api.conftest import Caller, envelope
from tests.api.sources import create, give_data, table_of
from tests.support.fake_connector import NAME, NOTE, FakeConnector, a_table, settings_of

pytestmark = pytest.mark.usefixtures("fake")

TWO = ({"name": "orders", "should_sync": True, "sync_type": "full_refresh"}, {"name": "countries"})


@pytest.fixture
def sources(base: str) -> str:
    return f"{base}/external_data_sources/"


@pytest.fixture
def source(alice: Caller, base: str) -> Any:
    return create(alice, base, *TWO)


@pytest.fixture
def url(sources: str, source: Any) -> str:
    return f"{sources}{source['id']}/"


def at_rest() -> None:
    """As if the first runs were over."""
    Run.objects.update(status="Completed")
    SourceTable.objects.filter(status="Running").update(status="Completed")


# --- delete (§7.5) -----------------------------------------------------------------------------------------------


def test_a_deleted_source_is_gone_with_everything_of_it(alice: Caller, base: str, url: str, source: Any) -> None:
    table = give_data(source)
    answer = alice.delete(url)
    assert (answer.status_code, answer.content) == (204, b"")
    schemas = f"{base}/external_data_schemas/"
    gone = [url, f"{url}jobs/", *(f"{schemas}{s['id']}/" for s in source["schemas"])]
    assert {alice.get(path).status_code for path in gone} == {404}
    assert {alice.post(f"{path}reload/").status_code for path in (url, *gone[2:])} == {404}
    assert alice.get(schemas).json()["count"] == alice.get(f"{base}/external_data_sources/").json()["count"] == 0
    assert alice.delete(url).status_code == 404
    table.refresh_from_db()
    assert table.deleted_at is not None
    assert Source.objects.get().sealed_settings == ""
    assert not Run.objects.filter(status="Running").exists()
    assert not Beat.objects.exists()


def test_a_source_whose_type_is_gone_can_be_deleted(alice: Caller, url: str) -> None:
    Source.objects.update(source_type="Removed")
    assert alice.delete(url).status_code == 204


# --- reload (§7.7) -----------------------------------------------------------------------------------------------


def test_reload_runs_every_enabled_table_once(alice: Caller, url: str) -> None:
    at_rest()
    for _ in range(10):
        answer = alice.post(f"{url}reload/", {"anything": 1})
        assert (answer.status_code, answer.content) == (200, b"")
    assert Run.objects.filter(status="Running").count() == 1
    assert Run.objects.count() == 2
    shown = alice.get(url).json()
    assert shown["status"] == "Running"
    assert [s["status"] for s in shown["schemas"]] == [None, "Running"]


def test_reload_of_a_source_with_nothing_enabled_changes_nothing(alice: Caller, url: str) -> None:
    at_rest()
    SourceTable.objects.update(should_sync=False)
    assert alice.send("POST", f"{url}reload/").status_code == 200
    assert alice.get(url).json()["status"] == "Paused"
    assert not Run.objects.filter(status="Running").exists()


# --- revenue flags (§7.8) ----------------------------------------------------------------------------------------


def test_revenue_flags_change_one_by_one(alice: Caller, url: str, source: Any) -> None:
    config = f"{url}revenue_analytics_config/"
    answer = alice.patch(config, {"enabled": True, "description": "not here"})
    assert answer.status_code == 200
    assert answer.json() == source | {
        "revenue_analytics_config": {"enabled": True, "include_invoiceless_charges": True}
    }
    answer = alice.patch(config, urlencode({"include_invoiceless_charges": "false"}), content_type=_FORM)
    assert answer.json()["revenue_analytics_config"] == {"enabled": True, "include_invoiceless_charges": False}
    assert alice.patch(config, {}).json() == answer.json()


_FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("name", ["enabled", "include_invoiceless_charges"])
@pytest.mark.parametrize(
    ("value", "text"),
    [("yes", "Must be a valid boolean."), ([], "Must be a valid boolean."), (None, "This field may not be null.")],
)
def test_revenue_flags_are_booleans(alice: Caller, url: str, name: str, value: object, text: str) -> None:
    answer = alice.patch(f"{url}revenue_analytics_config/", {name: value})
    assert envelope(answer)[2:] == (text, name)


# --- refresh_schemas (§7.12) -------------------------------------------------------------------------------------


def test_refresh_finds_what_is_new_and_what_is_gone(alice: Caller, url: str, fake: FakeConnector) -> None:
    fake.offered = [a_table("orders"), a_table("users"), a_table("zebras")]
    counts = {"added": 2, "deleted": 1, "total_tables_seen": 3}
    assert alice.post(f"{url}refresh_schemas/").json() == counts
    assert [s["name"] for s in alice.get(url).json()["schemas"]] == ["orders", "users", "zebras"]
    again = {"added": 0, "deleted": 0, "total_tables_seen": 3}
    assert alice.send("POST", f"{url}refresh_schemas/").json() == again
    assert not Run.objects.filter(source_table__name="users").exists()


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (
            UnreachableError("refused"),
            "Could not connect to the source. Check the host, port, and network access.",
        ),
        (UnreachableError("?", code="unresolvable"), "Could not resolve the source host."),
        (
            UnreachableError("?", code="timeout"),
            "Connection timed out while fetching schemas from the source.",
        ),
        (
            CredentialsError("no"),
            "Could not authenticate with the source. Check the connection credentials.",
        ),
        (SourceQueryError("correct horse"), "Could not fetch schemas from source."),
        (OutsideError("?"), "Could not fetch schemas from source."),
        (ZeroDivisionError("a bug in the connector"), "Could not fetch schemas from source."),
    ],
)
def test_a_failed_refresh_changes_nothing(
    alice: Caller, url: str, source: Any, fake: FakeConnector, failure: Exception, text: str
) -> None:
    fake.failure, fake.offered = failure, []
    assert envelope(alice.post(f"{url}refresh_schemas/")) == (400, "invalid_input", text, None)
    assert alice.get(url).json() == source


def test_a_source_without_settings_cannot_be_refreshed(alice: Caller, url: str) -> None:
    Source.objects.update(sealed_settings="")
    assert envelope(alice.post(f"{url}refresh_schemas/"))[2] == "Source has no configuration."
    Source.objects.update(sealed_settings="sealed with another key")
    assert envelope(alice.post(f"{url}refresh_schemas/"))[2] == "Source has no configuration."


# --- database_schema (§7.9) --------------------------------------------------------------------------------------


def test_a_preview_shows_every_table_and_stores_nothing(alice: Caller, sources: str, fake: FakeConnector) -> None:
    fake.offered = [a_table("orders", rows=18204), a_table("Notes", NOTE, key=())]
    answer = alice.post(f"{sources}database_schema/", {"source_type": NAME, **settings_of()})
    assert answer.status_code == 200, answer.content
    assert answer.json() == [
        {
            "table": "Notes",
            "should_sync": False,
            "incremental_fields": [],
            "incremental_available": False,
            "append_available": False,
            "incremental_field": None,
            "sync_type": None,
            "rows": None,
            "should_sync_default": True,
            "description": None,
            "available_columns": [{"field": "note", "label": "note", "type": "string", "nullable": True}],
            "detected_primary_keys": None,
        },
        {
            "table": "orders",
            "should_sync": False,
            "incremental_fields": [
                {"label": "id", "type": "integer", "field": "id", "field_type": "integer", "nullable": False},
                {
                    "label": "updated_at",
                    "type": "timestamp",
                    "field": "updated_at",
                    "field_type": "timestamp",
                    "nullable": True,
                },
            ],
            "incremental_available": True,
            "append_available": True,
            "incremental_field": "id",
            "sync_type": None,
            "rows": 18204,
            "should_sync_default": True,
            "description": None,
            "available_columns": [
                {"field": "id", "label": "id", "type": "integer", "nullable": False},
                {"field": "updated_at", "label": "updated_at", "type": "datetime", "nullable": True},
                {"field": "note", "label": "note", "type": "string", "nullable": True},
            ],
            "detected_primary_keys": ["id"],
        },
    ]
    assert not Source.objects.exists()


def test_a_preview_of_an_empty_database_is_empty(alice: Caller, sources: str, fake: FakeConnector) -> None:
    fake.offered = []
    assert alice.post(f"{sources}database_schema/", {"source_type": NAME, **settings_of()}).json() == []


def test_a_preview_takes_form_bodies(alice: Caller, sources: str, fake: FakeConnector) -> None:
    body = {"source_type": NAME, **settings_of(), "ssh-tunnel": json.dumps({"enabled": False})}
    assert alice.post(f"{sources}database_schema/", urlencode(body), content_type=_FORM).status_code == 200
    assert fake.connected[0]["port"] == 3306


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Missing required parameter: source_type"),
        ({"source_type": None}, "Missing required parameter: source_type"),
        ({"source_type": ""}, "Missing required parameter: source_type"),
        ({"source_type": "Nope"}, '"Nope" is not a valid choice.'),
        ({"source_type": "Klaviyo"}, "Source type Klaviyo is not supported by this server."),
        ({"source_type": NAME, **settings_of(host=None)}, "Invalid source config: Required field 'host' is missing"),
        ({"source_type": NAME, **settings_of(password="no")}, "Invalid user or password"),
    ],
)
def test_a_preview_that_cannot_be_had_says_why(alice: Caller, sources: str, body: dict[str, Any], text: str) -> None:
    answer = alice.post(f"{sources}database_schema/", body)
    assert (answer.status_code, answer.json()["message"]) == (400, text)


# --- source_prefix (§7.10) ---------------------------------------------------------------------------------------


def test_a_prefix_that_is_free_gets_an_empty_answer(vera: Caller, sources: str, source: Any) -> None:
    for body in ({"source_type": NAME, "prefix": "new"}, {"source_type": "Klaviyo"}, {"source_type": "Stripe", "x": 1}):
        answer = vera.post(f"{sources}source_prefix/", body)
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"source_type": NAME}, "Source type already exists. Prefix is required"),
        ({"source_type": NAME, "prefix": " "}, "Source type already exists. Prefix is required"),
        ({"source_type": NAME, "prefix": "_"}, "Prefix cannot consist of only underscores"),
        (
            {"source_type": NAME, "prefix": 5.5},
            "Prefix must contain only letters, numbers, and underscores, and start with a letter or underscore",
        ),
        ({"prefix": "a"}, "Missing required parameter: source_type"),
        ({"source_type": "nope"}, '"nope" is not a valid choice.'),
        ({"source_type": {}}, '"{}" is not a valid choice.'),
    ],
)
def test_a_prefix_that_cannot_be_used_says_why(
    alice: Caller, sources: str, source: Any, body: dict[str, Any], text: str
) -> None:
    assert envelope(alice.post(f"{sources}source_prefix/", body))[2] == text


def test_reading_scopes_are_enough_for_looking_things_up(
    api: Any, people: Any, base: str, sources: str, source: Any
) -> None:
    reader = api(people.key(people.bob, ["external_data_source:read"]))
    assert reader.post(f"{sources}source_prefix/", {"source_type": "Stripe"}).status_code == 200
    assert reader.get(f"{sources}wizard/").status_code == 200
    assert reader.get(f"{sources}{source['id']}/jobs/").status_code == 200
    write = "API key missing required scope 'external_data_source:write'"
    for path in ("database_schema/", f"{source['id']}/reload/", f"{source['id']}/refresh_schemas/"):
        assert envelope(reader.post(f"{sources}{path}"))[2] == write
    assert envelope(reader.patch(f"{sources}{source['id']}/revenue_analytics_config/"))[2] == write
    assert table_of(source).status == "Running"
