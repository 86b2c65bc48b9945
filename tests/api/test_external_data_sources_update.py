"""PATCH and PUT external_data_sources/{id}/: what changes, what never does, and where secrets may not go."""

import json
import threading
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection

from hedgerow.core.clock import now
from hedgerow.sources import settings
from hedgerow.sources.models import Source
from hedgerow.sync.models import Run
from tests.api.conftest import Caller, envelope
from tests.api.sources import create
from tests.support.fake_connector import PASSWORD, FakeConnector, settings_of

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def source(alice: Caller, base: str, fake: FakeConnector) -> Any:
    made = create(alice, base, {"name": "orders"}, schema="public")
    fake.connected.clear()
    return made


@pytest.fixture
def url(base: str, source: Any) -> str:
    return f"{base}/external_data_sources/{source['id']}/"


def stored() -> dict[str, Any]:
    return settings.opened(Source.objects.get())


def test_the_description_changes_without_asking_the_outside(alice: Caller, url: str, fake: FakeConnector) -> None:
    answer = alice.patch(url, {"description": " A replica "})
    assert (answer.status_code, answer.json()["description"]) == (200, "A replica")
    assert alice.patch(url, {"description": None}).json()["description"] is None
    assert alice.patch(url, {"description": ""}).json()["description"] == ""
    assert fake.connected == []


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_only_description_and_settings_can_be_set(alice: Caller, url: str, source: Any, method: str) -> None:
    others = {
        "prefix": "other",
        "source_type": "Stripe",
        "status": "Failed",
        "schemas": [],
        "created_at": "2001-01-01T00:00:00Z",
        "client_secret": "x",
        "account_id": "y",
        "latest_error": "z",
        "revenue_analytics_config": {"enabled": True},
    }
    answer = alice.send(method, url, others)
    assert answer.status_code == 200, answer.content
    assert answer.json() == source


def test_sending_back_what_was_read_changes_nothing(alice: Caller, url: str, fake: FakeConnector) -> None:
    before, was = stored(), alice.get(url).json()
    answer = alice.patch(url, was)
    assert answer.status_code == 200, answer.content
    assert (answer.json(), stored()) == (was, before)
    assert [c["password"] for c in fake.connected] == [PASSWORD]


def test_an_empty_patch_changes_nothing(alice: Caller, url: str, source: Any) -> None:
    assert alice.patch(url, {}).json() == source


def test_new_settings_are_tried_and_then_kept(alice: Caller, url: str, fake: FakeConnector) -> None:
    answer = alice.patch(url, {"job_inputs": {"schema": " sales ", "port": "3307", "unknown": 1}})
    assert answer.status_code == 200, answer.content
    assert (answer.json()["job_inputs"]["schema"], answer.json()["job_inputs"]["port"]) == ("sales", 3307)
    assert stored() == settings_of(schema="sales", port=3307)
    assert fake.connected == [stored()]


def test_no_sync_is_started_by_other_settings(alice: Caller, url: str) -> None:
    alice.patch(url, {"job_inputs": {"schema": "sales"}})
    assert not Run.objects.exists()


@pytest.mark.parametrize("blank", ["", None, "  "])
def test_an_empty_password_keeps_the_stored_one(alice: Caller, url: str, blank: str | None) -> None:
    assert alice.patch(url, {"job_inputs": {"password": blank}}).status_code == 200
    assert stored()["password"] == PASSWORD


def test_settings_that_do_not_work_are_not_kept(alice: Caller, url: str) -> None:
    before = stored()
    answer = alice.patch(url, {"job_inputs": {"password": "wrong"}, "description": "new"})
    assert envelope(answer) == (400, "invalid_input", "Invalid user or password", None)
    assert stored() == before
    assert Source.objects.get().description is None


@pytest.mark.parametrize("value", [None, "x", 5, [], True])
def test_settings_must_be_an_object(alice: Caller, url: str, value: object) -> None:
    assert envelope(alice.patch(url, {"job_inputs": value})) == (
        400,
        "invalid_input",
        "Must be an object.",
        "job_inputs",
    )


def test_a_form_body_holds_the_settings_as_json_text(alice: Caller, url: str) -> None:
    form = urlencode({"job_inputs": json.dumps({"schema": "sales"}), "created_at": "x"})
    answer = alice.patch(url, form, content_type="application/x-www-form-urlencoded")
    assert answer.json()["job_inputs"]["schema"] == "sales"


def test_merged_settings_are_checked_as_a_whole(alice: Caller, url: str, fake: FakeConnector) -> None:
    answer = alice.patch(url, {"job_inputs": {"user": "", "port": 70000}})
    assert envelope(answer)[2] == (
        "Invalid source config: Field 'port' must be a number between 1 and 65535, Required field 'user' is missing"
    )
    assert fake.connected == []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"host": "evil"}, "Changing the connection host requires re-entering your credentials."),
        (
            {"ssh_tunnel": {"enabled": True, "host": "evil", "port": 22}},
            "Changing the SSH tunnel requires re-entering your database credentials.",
        ),
        (
            {"ssh_tunnel": {"enabled": True, "host": "evil", "port": 22}, "password": PASSWORD},
            "Changing the SSH tunnel host requires re-entering your SSH credentials.",
        ),
    ],
)
def test_a_stored_secret_is_not_sent_elsewhere(
    alice: Caller, url: str, fake: FakeConnector, given: dict[str, Any], text: str
) -> None:
    before = stored()
    assert envelope(alice.patch(url, {"job_inputs": given}))[2] == text
    assert (stored(), fake.connected) == (before, [])


def test_the_host_changes_with_the_password_given_again(alice: Caller, url: str) -> None:
    assert alice.patch(url, {"job_inputs": {"host": "db2", "password": PASSWORD}}).status_code == 200
    assert stored()["host"] == "db2"


def test_a_source_without_settings_cannot_get_some(alice: Caller, url: str) -> None:
    Source.objects.update(sealed_settings="")
    assert envelope(alice.patch(url, {"job_inputs": {}}))[2] == "Source has no configuration."


def test_a_source_whose_type_is_gone_is_shown_and_renamed(alice: Caller, url: str) -> None:
    Source.objects.update(source_type="Removed")
    assert alice.get(url).json()["job_inputs"] == {}
    assert alice.patch(url, {"description": "old"}).status_code == 200
    text = "Source type Removed is not supported by this server."
    assert envelope(alice.patch(url, {"job_inputs": {"schema": "x"}}))[2] == text


@pytest.mark.django_db(transaction=True)
def test_changes_at_once_are_all_kept(people: Any, base: str, fake: FakeConnector) -> None:
    """All have read the stored settings before any of them writes."""
    source = create(Caller(people.keys["alice"]), base, {"name": "orders"})
    url = f"{base}/external_data_sources/{source['id']}/"
    changes: list[dict[str, Any]] = [{"schema": "sales"}, {"database": "other"}, {"user": "writer"}, {"port": 3307}]
    all_read, here = threading.Barrier(len(changes)), threading.local()
    answers = []

    def wait_once() -> None:
        if not hasattr(here, "waited"):
            here.waited = True
            all_read.wait(timeout=20)

    def patch(given: dict[str, Any]) -> None:
        try:
            answers.append(Caller(people.keys["alice"]).patch(url, {"job_inputs": given}).status_code)
        finally:
            connection.close()

    fake.meanwhile = wait_once
    threads = [threading.Thread(target=patch, args=(given,)) for given in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * len(changes)
    assert stored() == settings_of(schema="sales", database="other", user="writer", port=3307)


def test_settings_of_a_source_deleted_meanwhile_are_not_kept(alice: Caller, url: str, fake: FakeConnector) -> None:
    fake.meanwhile = lambda: Source.objects.update(deleted_at=now(), sealed_settings="")
    assert alice.patch(url, {"job_inputs": {"schema": "sales"}}).status_code == 404
    assert Source.objects.get().sealed_settings == ""


def test_who_may_change(bob: Caller, vera: Caller, charlie: Caller, api: Any, people: Any, url: str) -> None:
    changes = {"description": "x"}
    assert bob.patch(url, changes).status_code == 200
    assert envelope(vera.patch(url, changes))[2] == "You do not have editor access to this resource."
    assert envelope(charlie.patch(url, changes))[2] == "Project not found."
    reader = api(people.key(people.bob, ["external_data_source:read"]))
    assert envelope(reader.patch(url, changes))[0] == 403


def test_a_broken_request_is_told_before_an_unknown_id(alice: Caller, base: str) -> None:
    unknown = f"{base}/external_data_sources/0199d3aa-51c5-7b0e-9a35-3d8f7f0c2e11/"
    assert envelope(alice.patch(unknown, {"description": "x" * 401}))[0] == 400
    assert envelope(alice.patch(unknown, {"description": "x"})) == (404, "not_found", "Not found.", None)
