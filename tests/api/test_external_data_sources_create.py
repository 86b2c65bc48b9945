"""POST external_data_sources/: what it takes, and that nothing is stored when it is refused."""

import json
import threading
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection

from hedgerow.core.errors import CredentialsError, UnreachableError
from hedgerow.sources.models import Source, SourceTable
from hedgerow.sync.models import Run
from hedgerow.work.models import Beat
from tests.api.conftest import Caller, envelope
from tests.api.sources import create
from tests.support.fake_connector import NAME, PASSWORD, FakeConnector, body_of, settings_of

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def sources(base: str) -> str:
    return f"{base}/external_data_sources/"


def refused(caller: Caller, sources: str, body: Any) -> tuple[int, str, str, str | None]:
    """The failure; nothing was stored."""
    answer = caller.post(sources, body)
    assert answer.json()["message"] == answer.json()["detail"] if answer.status_code == 400 else True
    assert not Source.objects.exists()
    assert not SourceTable.objects.exists()
    return envelope(answer)


def test_the_answer_is_the_whole_source(alice: Caller, base: str) -> None:
    source = create(
        alice,
        base,
        {
            "name": "orders",
            "should_sync": True,
            "sync_type": "incremental",
            "incremental_field": "updated_at",
            "incremental_field_type": "timestamp",
            "sync_time_of_day": "00:00:00",
        },
        {"name": "countries"},
        prefix="shop_",
    )
    orders = source["schemas"][1]
    assert source == {
        "id": source["id"],
        "created_at": source["created_at"],
        "created_by": "alice@example.com",
        "status": "Running",
        "source_type": NAME,
        "latest_error": None,
        "prefix": "shop_",
        "description": None,
        "last_run_at": None,
        "schemas": source["schemas"],
        "job_inputs": {
            "host": "db",
            "port": 3306,
            "database": "shop",
            "user": "reader",
            "schema": None,
            "ssh_tunnel": None,
        },
        "revenue_analytics_config": {"enabled": False, "include_invoiceless_charges": True},
        "user_access_level": "manager",
    }
    assert orders == {
        "id": orders["id"],
        "name": "orders",
        "table": None,
        "should_sync": True,
        "last_synced_at": None,
        "latest_error": None,
        "incremental": True,
        "status": "Running",
        "sync_type": "incremental",
        "incremental_field": "updated_at",
        "incremental_field_type": "timestamp",
        "sync_frequency": "6hour",
        "sync_time_of_day": "00:00:00",
        "description": None,
        "primary_key_columns": ["id"],
        "schema_changes": [],
        "bad_values": "null_and_count",
    }
    assert [s["name"] for s in source["schemas"]] == ["countries", "orders"]
    assert source["created_at"].endswith("Z")


def test_only_enabled_tables_are_scheduled_and_run_at_once(alice: Caller, base: str) -> None:
    source = create(
        alice, base, {"name": "orders", "should_sync": True, "sync_type": "append"} | _CURSOR, {"name": "countries"}
    )
    (run,) = Run.objects.all()
    assert (run.source_table.name, run.status) == ("orders", "Running")
    assert [b.subject for b in Beat.objects.all()] == [str(run.source_table_id)]
    assert source["status"] == "Running"


_CURSOR = {"incremental_field": "id", "incremental_field_type": "integer"}


def test_the_stored_settings_are_sealed_and_never_shown(alice: Caller, sources: str, base: str) -> None:
    source = create(alice, base)
    stored = Source.objects.get()
    assert PASSWORD not in stored.sealed_settings
    for answer in (alice.get(sources), alice.get(f"{sources}{source['id']}/")):
        assert PASSWORD not in answer.content.decode()
        assert "client_secret" not in answer.content.decode()


def test_members_the_page_lists_are_accepted_and_ignored(alice: Caller, sources: str) -> None:
    body = body_of() | {"client_secret": "x", "account_id": 5, "id": "y", "job_inputs": "ignored", "status": "Failed"}
    answer = alice.post(sources, body)
    assert answer.status_code == 201, answer.content
    assert "account_id" not in answer.json()


@pytest.mark.parametrize("payload", [{}, {"payload": None}])
def test_job_inputs_stand_in_for_an_absent_payload(alice: Caller, sources: str, payload: dict[str, Any]) -> None:
    body = body_of()
    answer = alice.post(sources, {"source_type": NAME, "job_inputs": body["payload"], **payload})
    assert answer.status_code == 201, answer.content


def test_a_form_body_holds_the_payload_as_json_text(alice: Caller, sources: str) -> None:
    body = body_of()
    form = urlencode({"source_type": NAME, "payload": json.dumps(body["payload"]), "description": "by form"})
    answer = alice.post(sources, form, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 201, answer.content
    assert answer.json()["description"] == "by form"


@pytest.mark.parametrize("prefix", [None, "", "   "])
def test_null_and_blank_are_no_prefix(alice: Caller, sources: str, prefix: str | None) -> None:
    answer = alice.post(sources, body_of(prefix=prefix))
    assert answer.json()["prefix"] == (None if prefix is None else "")
    second = alice.post(sources, body_of(prefix=""))
    assert envelope(second)[2] == "Source type already exists. Prefix is required"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source_type": None}, (400, "null", "This field may not be null.", "source_type")),
        ({"source_type": "mysql"}, (400, "invalid_choice", '"mysql" is not a valid choice.', "source_type")),
        ({"source_type": 5}, (400, "invalid_choice", '"5" is not a valid choice.', "source_type")),
        ({"source_type": ["MySQL"]}, (400, "invalid_choice", "\"['MySQL']\" is not a valid choice.", "source_type")),
        (
            {"source_type": "Klaviyo"},
            (400, "invalid_input", "Source type Klaviyo is not supported by this server.", "source_type"),
        ),
        ({"payload": None}, (400, "null", "This field may not be null.", "payload")),
        (
            {"payload": "x"},
            (400, "not_a_dict", 'Expected a dictionary of items but got type "str".', "payload"),
        ),
        (
            {"description": "x" * 401},
            (400, "max_length", "Ensure this field has no more than 400 characters.", "description"),
        ),
        ({"description": []}, (400, "invalid_input", "Not a valid string.", "description")),
        ({"description": True}, (400, "invalid_input", "Not a valid string.", "description")),
        (
            {"prefix": "x" * 101},
            (400, "max_length", "Ensure this field has no more than 100 characters.", "prefix"),
        ),
        ({"prefix": "___"}, (400, "invalid_input", "Prefix cannot consist of only underscores", "prefix")),
        (
            {"prefix": "a-b"},
            (
                400,
                "invalid_input",
                "Prefix must contain only letters, numbers, and underscores, and start with a letter or underscore",
                "prefix",
            ),
        ),
    ],
)
def test_a_body_that_cannot_be_used_is_refused(
    alice: Caller, sources: str, changes: dict[str, Any], expected: tuple[int, str, str, str | None]
) -> None:
    assert refused(alice, sources, body_of() | changes) == expected


@pytest.mark.parametrize("field", ["source_type", "payload"])
def test_what_is_required_is_named(alice: Caller, sources: str, field: str) -> None:
    body = {name: value for name, value in body_of().items() if name != field}
    assert refused(alice, sources, body) == (400, "required", "This field is required.", field)


@pytest.mark.parametrize("body", ["[]", '"text"', "null", "5"])
def test_a_body_that_is_no_object_is_refused(alice: Caller, sources: str, body: str) -> None:
    assert refused(alice, sources, body)[0] == 400


def test_broken_json_is_refused(alice: Caller, sources: str) -> None:
    assert refused(alice, sources, "{")[:2] == (400, "parse_error")


def test_settings_are_checked_before_anything_is_contacted(alice: Caller, sources: str, fake: FakeConnector) -> None:
    text = "Invalid source config: Required field 'host' is missing, Field 'port' must be a number"
    assert refused(alice, sources, body_of(host=None, port="x"))[2] == text
    assert fake.connected == []


@pytest.mark.parametrize("schemas", [None, [], "orders", 5, False, {}])
def test_tables_must_be_given(alice: Caller, sources: str, schemas: object) -> None:
    body = {"source_type": NAME, "payload": {**settings_of(), "schemas": schemas}}
    assert refused(alice, sources, body)[2] == "Schemas not given"


@pytest.mark.parametrize("entry", ["orders", 5, {}, {"name": None}, {"name": "nope"}])
def test_only_tables_of_the_source_can_be_given(alice: Caller, sources: str, entry: object) -> None:
    body = {"source_type": NAME, "payload": {**settings_of(), "schemas": [{"name": "orders"}, entry]}}
    assert refused(alice, sources, body)[2] == "Schemas given do not exist in source"


def test_a_wrong_password_is_found_out(alice: Caller, sources: str) -> None:
    assert refused(alice, sources, body_of(password="wrong"))[2] == "Invalid user or password"


@pytest.mark.parametrize("failure", [UnreachableError(""), CredentialsError("")])
def test_a_failure_without_words_reads_invalid_credentials(
    alice: Caller, sources: str, fake: FakeConnector, failure: Exception
) -> None:
    fake.failure = failure
    assert refused(alice, sources, body_of()) == (400, "invalid_input", "Invalid credentials", None)


def test_secrets_in_a_driver_s_words_are_masked(alice: Caller, sources: str, fake: FakeConnector) -> None:
    fake.failure = UnreachableError("no route: mysql://reader:correct%20horse@db and 'correct horse'")
    assert refused(alice, sources, body_of())[2] == "no route: mysql://reader:***@db and '***'"


def test_the_first_failing_check_answers(alice: Caller, sources: str, fake: FakeConnector) -> None:
    """Every later check fails too; repaired one by one, each shows up in its turn."""
    bad = {"name": "orders", "should_sync": True, "sync_type": "incremental", "sync_frequency": "x"}
    body: dict[str, Any] = {
        "source_type": "x",
        "prefix": "_",
        "description": "x" * 401,
        "payload": {**settings_of(password="wrong"), "port": "x", "schemas": []},
    }
    payload = body["payload"]
    seen = []
    for repair in (
        lambda: body.update(source_type=NAME),
        lambda: body.update(description=None),
        lambda: body.update(prefix=None),
        lambda: payload.update(port=1),
        lambda: payload.update(password=PASSWORD),
        lambda: payload.update(schemas=[{"name": "nope"}, bad, bad]),
        lambda: payload["schemas"].pop(0),
        lambda: bad.update(incremental_field="gone"),
        lambda: bad.update(incremental_field_type="text"),
        lambda: bad.update(incremental_field_type="integer"),
        lambda: bad.update(incremental_field="id"),
        lambda: bad.update(sync_frequency="never"),
    ):
        seen.append(refused(alice, sources, body)[2])
        repair()
    seen.append(refused(alice, sources, body)[2])
    assert seen == [
        '"x" is not a valid choice.',
        "Ensure this field has no more than 400 characters.",
        "Prefix cannot consist of only underscores",
        "Invalid source config: Field 'port' must be a number",
        "Invalid user or password",
        "Schemas not given",
        "Schemas given do not exist in source",
        "Incremental schemas given do not have an incremental field set",
        "Incremental schemas given do not have an incremental field type set",
        "Invalid incremental field type",
        'Incremental field "gone" does not exist on schema "orders"',
        '"x" is not a valid choice.',
        "Schemas given contain duplicates",
    ]
    payload["schemas"].pop()
    assert alice.post(sources, body).status_code == 201


# --- prefixes (§5.2) ---------------------------------------------------------------------------------------------


def test_a_prefix_is_used_once(alice: Caller, sources: str, base: str) -> None:
    create(alice, base, prefix="shop")
    for same in ("shop", "SHOP", "shop_", "Shop__"):
        assert envelope(alice.post(sources, body_of(prefix=same)))[2] == "Prefix already exists"
    create(alice, base, prefix="other")
    create(alice, base)  # only prefixed ones exist


def test_a_prefix_is_free_again_after_deletion(alice: Caller, sources: str, base: str) -> None:
    for prefix in ("shop", None):
        first = create(alice, base, prefix=prefix)
        assert alice.delete(f"{sources}{first['id']}/").status_code == 204
        create(alice, base, prefix=prefix)


def test_another_project_s_prefix_is_no_matter(alice: Caller, charlie: Caller, base: str, people: Any) -> None:
    create(alice, base, prefix="shop")
    create(charlie, f"/api/environments/{people.elsewhere.pk}", prefix="shop")


@pytest.mark.django_db(transaction=True)
def test_of_creations_at_once_one_wins(people: Any, fake: FakeConnector) -> None:
    """All have found the prefix free before any of them is stored."""
    sources = f"/api/environments/{people.project.pk}/external_data_sources/"
    all_free, here, answers = threading.Barrier(4), threading.local(), []

    def wait_once() -> None:
        if not hasattr(here, "waited"):
            here.waited = True
            all_free.wait(timeout=20)

    def post() -> None:
        try:
            answers.append(Caller(people.keys["alice"]).post(sources, body_of(prefix="shop")))
        finally:
            connection.close()

    fake.meanwhile = wait_once
    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status_code for a in answers) == [201, 400, 400, 400]
    assert {a.json()["message"] for a in answers if a.status_code == 400} == {"Prefix already exists"}
    assert Source.objects.count() == 1


# --- who may -----------------------------------------------------------------------------------------------------


def test_who_may_create(bob: Caller, vera: Caller, charlie: Caller, api: Any, people: Any, sources: str) -> None:
    assert envelope(charlie.post(sources, body_of()))[:3] == (404, "not_found", "Project not found.")
    assert envelope(vera.post(sources, "{"))[2] == "You do not have editor access to this resource."
    reader = api(people.key(people.bob, ["external_data_source:read"]))
    assert envelope(reader.post(sources, "{"))[2] == "API key missing required scope 'external_data_source:write'"
    assert bob.post(sources, body_of()).status_code == 201
