"""What can be done with a table of a source: reload, resync, cancel, delete its data, delete it, ask about it."""

from typing import Any

import pytest

from hedgerow.core.errors import UnreachableError
from hedgerow.sources.models import Source, SourceTable
from hedgerow.sync.models import Run
from hedgerow.work.models import Beat
from tests.api.conftest import Caller, envelope
from tests.api.sources import create, give_data, table_of
from tests.support.fake_connector import FakeConnector, a_table

pytestmark = pytest.mark.usefixtures("fake")

NOT_SET_UP = "Sync type must be set up first before enabling schema"


@pytest.fixture
def source(alice: Caller, base: str) -> Any:
    return create(alice, base, {"name": "orders", "sync_type": "full_refresh"}, {"name": "countries"})


@pytest.fixture
def url(base: str, source: Any) -> str:
    """Of `orders`, configured and disabled."""
    return f"{base}/external_data_schemas/{source['schemas'][1]['id']}/"


@pytest.fixture
def raw_url(base: str, source: Any) -> str:
    """Of `countries`, which has no sync type."""
    return f"{base}/external_data_schemas/{source['schemas'][0]['id']}/"


def test_reload_runs_a_table_once_and_leaves_it_disabled(alice: Caller, url: str) -> None:
    for _ in range(10):
        answer = alice.post(f"{url}reload/")
        assert (answer.status_code, answer.content) == (200, b"")
    assert Run.objects.count() == 1
    shown = alice.get(url).json()
    assert (shown["status"], shown["should_sync"]) == ("Running", False)


@pytest.mark.parametrize("action", ["reload", "resync"])
def test_a_table_without_sync_type_is_not_run(alice: Caller, raw_url: str, action: str) -> None:
    assert envelope(alice.post(f"{raw_url}{action}/")) == (400, "invalid_input", NOT_SET_UP, None)
    assert not Run.objects.exists()


def test_resync_takes_the_place_of_a_running_run(alice: Caller, url: str, source: Any) -> None:
    alice.post(f"{url}reload/")
    assert alice.send("POST", f"{url}resync/").status_code == 200
    assert sorted(Run.objects.values_list("status", flat=True)) == ["Cancelled", "Running"]
    assert table_of(source).reload_all


def test_cancel_ends_the_run(alice: Caller, url: str) -> None:
    assert envelope(alice.post(f"{url}cancel/")) == (400, "invalid_input", "No running sync to cancel.", None)
    alice.post(f"{url}reload/")
    answer = alice.post(f"{url}cancel/")
    assert (answer.status_code, answer.content) == (200, b"")
    shown = alice.get(url).json()
    assert (shown["status"], shown["latest_error"]) == ("Cancelled", None)
    assert Run.objects.get().finished_at is not None


def test_deleting_the_data_keeps_the_settings(alice: Caller, url: str, source: Any) -> None:
    before = alice.get(url).json()
    table = give_data(source, last_synced_at="2026-01-01T00:00:00Z")
    for _ in range(2):  # also when there is nothing to delete
        answer = alice.delete(f"{url}delete_data/")
        assert (answer.status_code, answer.content) == (200, b"")
    assert alice.get(url).json() == before
    table.refresh_from_db()
    assert table.deleted_at is not None


def test_a_deleted_table_is_gone_until_discovery_brings_it_back(
    alice: Caller, base: str, url: str, source: Any
) -> None:
    alice.patch(url, {"should_sync": True})
    answer = alice.delete(url)
    assert (answer.status_code, answer.content) == (204, b"")
    assert alice.get(url).status_code == alice.delete(url).status_code == 404
    assert not Beat.objects.exists()
    assert not Run.objects.filter(status="Running").exists()
    alice.post(f"{base}/external_data_sources/{source['id']}/refresh_schemas/")
    shown = alice.get(url).json()
    assert (shown["name"], shown["should_sync"], shown["sync_type"]) == ("orders", False, "full_refresh")
    assert (shown["status"], shown["table"]) == (None, None)


# --- incremental_fields (§8.5) -----------------------------------------------------------------------------------


def test_the_live_source_is_asked_about_a_table(alice: Caller, url: str, fake: FakeConnector) -> None:
    answer = alice.send("POST", f"{url}incremental_fields/")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["incremental_fields"] == [
        {"label": "id", "type": "integer", "field": "id", "field_type": "integer", "nullable": False},
        {
            "label": "updated_at",
            "type": "timestamp",
            "field": "updated_at",
            "field_type": "timestamp",
            "nullable": True,
        },
    ]
    assert [c["field"] for c in body["available_columns"]] == ["id", "updated_at", "note"]
    assert body["detected_primary_keys"] == ["id"]
    flags = ("incremental_available", "append_available", "full_refresh_available")
    assert [body[flag] for flag in flags] == [True, True, True]


def test_a_table_the_source_has_no_more_is_named(alice: Caller, url: str, fake: FakeConnector) -> None:
    fake.offered = [a_table("countries")]
    assert envelope(alice.post(f"{url}incremental_fields/"))[2] == "Schema with name orders not found"


def test_a_source_that_cannot_be_asked_says_why(alice: Caller, url: str, fake: FakeConnector) -> None:
    fake.failure = UnreachableError("no route to 'correct horse'")
    assert envelope(alice.post(f"{url}incremental_fields/"))[2] == "no route to '***'"
    Source.objects.update(sealed_settings="")
    assert envelope(alice.post(f"{url}incremental_fields/"))[2] == "Missing job inputs"


def test_nothing_of_a_table_is_changed_by_asking(alice: Caller, url: str) -> None:
    before = list(SourceTable.objects.order_by("id").values())
    alice.post(f"{url}incremental_fields/")
    assert list(SourceTable.objects.order_by("id").values()) == before
