"""POST, GET and DELETE query/ (api_conventions.md §11)."""

import threading
import time
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings

from hedgerow.accounts.models import AccessRule
from hedgerow.lake.storage import Storage
from hedgerow.warehouse import engine, query, tables
from tests.api.conftest import Caller, envelope
from tests.support import shop
from tests.support.people import People

pytestmark = pytest.mark.django_db(transaction=True)
ENDLESS = "SELECT count() FROM numbers(1000000000000)"


@pytest.fixture(autouse=True)
def _nothing_cached() -> None:
    query.answers.clear()


@pytest.fixture
def orders(people: People) -> None:
    shop.register(Storage(settings.CONFIG.storage), people.project, "shop_postgres_orders")


@pytest.fixture
def path(base: str) -> str:
    return f"{base}/query/"


def sql(text: str, **members: Any) -> dict[str, Any]:
    """A request for this SQL."""
    return {"query": {"kind": "HogQLQuery", "query": text}, **members}


def finished(caller: Caller, path: str, query_id: str) -> Any:
    """The answer about a query once it is not 202 any more."""
    deadline = time.monotonic() + 20
    while (answer := caller.get(f"{path}{query_id}/")).status_code == 202:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return answer


def test_a_query_is_answered(alice: Caller, path: str, orders: None) -> None:
    answer = alice.post(path, sql("SELECT id, total FROM shop_postgres_orders WHERE id = 1"))
    assert answer.status_code == 200
    body = answer.json()
    assert body["results"] == [[1, "10.0000"]]
    assert body["types"] == [["id", "Int64"], ["total", "Decimal(18, 4)"]]
    assert body["hogql"] == "SELECT id, total FROM shop_postgres_orders WHERE id = 1 LIMIT 101"
    assert (body["hasMore"], body["limit"], body["offset"], body["timezone"]) == (False, 100, 0, "UTC")


def test_big_integers_and_decimals_keep_every_digit_in_the_bytes_sent(alice: Caller, path: str, orders: None) -> None:
    answer = alice.post(path, sql("SELECT id, total FROM shop_postgres_orders ORDER BY id DESC LIMIT 2"))
    assert b'[9007199254740993,null],[2,"-99999999999999.9999"]' in answer.content


@pytest.mark.parametrize("kind", ["DataTableNode", "DataVisualizationNode"])
def test_nodes_around_a_query_are_taken_off(alice: Caller, path: str, kind: str) -> None:
    node = {"kind": kind, "source": {"kind": "HogQLQuery", "query": "SELECT {x}", "values": {"x": "it's"}}}
    assert alice.post(path, {"query": node}).json()["results"] == [["it's"]]


def test_a_form_body_works_too(alice: Caller, path: str) -> None:
    form = "query=" + quote('{"kind": "HogQLQuery", "query": "SELECT 1"}')
    answer = alice.send("POST", path, form, content_type="application/x-www-form-urlencoded")
    assert answer.json()["results"] == [[1]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "`query` must be an object"),
        ({"query": None}, "`query` must be an object"),
        ({"query": "SELECT 1"}, "`query` must be an object"),
        ({"query": ["x"]}, "`query` must be an object"),
        ({"query": {}}, "Unsupported query kind: None"),
        ({"query": {"kind": "TrendsQuery"}}, "Unsupported query kind: TrendsQuery"),
        ({"query": {"kind": "DataTableNode"}}, "`query` must be an object"),
        (
            {"query": {"kind": "DataTableNode", "source": {"kind": "EventsQuery"}}},
            "Unsupported query kind: EventsQuery",
        ),
        ({"query": {"kind": "HogQLQuery"}}, "`query.query` must be a text."),
        ({"query": {"kind": "HogQLQuery", "query": 5}}, "`query.query` must be a text."),
        ({"query": {"kind": "HogQLQuery", "query": "SELECT 1", "values": [1]}}, "`query.values` must be an object."),
    ],
)
def test_a_malformed_query_is_an_invalid_request(alice: Caller, path: str, body: Any, said: str) -> None:
    answer = alice.post(path, body)
    status, code, detail, attr = envelope(answer)
    assert (status, answer.json()["type"], code, attr) == (400, "invalid_request", "parse_error", None)
    assert detail.startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT * FROM nope", "Unknown table `nope`."),
        ("SELECT nope", "Unable to resolve field: nope"),
        ("SELEC 1", "Syntax error at line 1, column 7 near `1`: Unexpected token."),
        ("", "The query is empty."),
        ("-- nothing", "The query is empty."),
        ("DROP TABLE x", "Only SELECT statements are allowed."),
        ("SELECT {x}", "Unable to resolve placeholder: {x}"),
    ],
)
def test_errors_in_the_sql_are_told(alice: Caller, path: str, text: str, said: str) -> None:
    answer = alice.post(path, sql(text))
    assert envelope(answer) == (400, "invalid_input", said, None)
    assert answer.json()["type"] == "validation_error"


def test_semicolons_in_texts_are_fine(alice: Caller, path: str) -> None:
    assert alice.post(path, sql("SELECT ';'")).json()["results"] == [[";"]]


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("refresh", "sometimes", "invalid_choice"),
        ("name", "x" * 129, "max_length"),
        ("client_query_id", "x" * 201, "max_length"),
        ("variables_override", "x", "not_a_dict"),
        ("filters_override", [], "not_a_dict"),
    ],
)
def test_bad_options_are_named(alice: Caller, path: str, member: str, value: Any, code: str) -> None:
    assert envelope(alice.post(path, sql("SELECT 1", **{member: value})))[:2] == (400, code)
    assert envelope(alice.post(path, sql("SELECT 1", **{member: value})))[3] == member


def test_options_of_the_contract_are_accepted(alice: Caller, path: str) -> None:
    body = sql("SELECT 1", name="n" * 128, variables_override={}, filters_override={}, refresh="force_blocking")
    assert alice.post(path, body | {"unknown": 1}).status_code == 200


def test_a_name_in_the_query_has_its_limit_too(alice: Caller, path: str) -> None:
    node = {"kind": "HogQLQuery", "query": "SELECT 1", "name": "x" * 129}
    assert envelope(alice.post(path, {"query": node}))[1] == "max_length"


def test_over_the_time_limit(alice: Caller, path: str, settings: Any) -> None:
    object.__setattr__(settings.CONFIG, "query_seconds", 0.3)
    try:
        status, code, detail, attr = envelope(alice.post(path, sql(ENDLESS)))
    finally:
        object.__setattr__(settings.CONFIG, "query_seconds", 10.0)
    assert (status, code, attr) == (400, "timeout_exceeded", None)
    assert "0.3 seconds" in detail


def test_too_many_at_once_wait_and_are_then_told_when_to_come_back(
    alice: Caller, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PROJECT_QUERIES", 0)
    monkeypatch.setattr(engine.run, "__kwdefaults__", {**(engine.run.__kwdefaults__ or {}), "wait": 0.05})
    answer = alice.post(path, sql("SELECT 1"))
    assert (answer.status_code, answer["Retry-After"]) == (429, "5")
    assert answer.json()["code"] == "throttled"


def test_the_scope_is_query_read(people: People, api: Any, path: str) -> None:
    allowed, other = api(people.key(people.alice, ["query:read"])), api(people.key(people.alice, ["insight:write"]))
    assert allowed.post(path, sql("SELECT 1")).status_code == 200
    assert allowed.delete(f"{path}x/").status_code == 200
    for answer in (other.post(path, sql("SELECT 1")), other.get(f"{path}x/"), other.delete(f"{path}x/")):
        assert envelope(answer)[:3] == (403, "permission_denied", "API key missing required scope 'query:read'")


def test_viewers_may_ask_and_strangers_may_not(vera: Caller, charlie: Caller, path: str, orders: None) -> None:
    count = sql("SELECT count() FROM shop_postgres_orders")
    assert vera.post(path, count).json()["results"] == [[3]]
    assert envelope(charlie.post(path, count))[:3] == (404, "not_found", "Project not found.")


def test_a_forbidden_table_is_unknown(alice: Caller, bob: Caller, path: str, people: People, orders: None) -> None:
    AccessRule.objects.create(project=people.project, resource=tables.RESOURCE, level="none")
    count = sql("SELECT count() FROM shop_postgres_orders")
    assert envelope(bob.post(path, count))[2] == "Unknown table `shop_postgres_orders`."
    assert alice.post(path, count).json()["results"] == [[3]]


def test_a_repeated_question_is_answered_from_the_cache(alice: Caller, path: str) -> None:
    assert [alice.post(path, sql("SELECT 1")).json()["is_cached"] for _ in range(2)] == [False, True]
    in_background = alice.post(path, sql("SELECT 1", refresh="async"))
    assert (in_background.status_code, in_background.json()["is_cached"]) == (200, True)
    cached = alice.post(path, sql("SELECT 1", refresh="force_cache")).json()
    assert (cached["is_cached"], cached["results"]) == (True, [[1]])


@pytest.mark.parametrize("refresh", ["async", "force_async", "lazy_async"])
def test_in_the_background(alice: Caller, path: str, people: People, refresh: str) -> None:
    started = alice.post(path, sql("SELECT 1", refresh=refresh, client_query_id="mine"))
    assert started.status_code == 202
    status = started.json()["query_status"]
    assert {name: status[name] for name in ("id", "team_id", "query_async", "complete", "error", "results")} == {
        "id": "mine",
        "team_id": people.project.pk,
        "query_async": True,
        "complete": False,
        "error": False,
        "results": None,
    }
    answer = finished(alice, path, "mine")
    assert answer.status_code == 200
    done = answer.json()["query_status"]
    assert set(done) == {
        *("id", "team_id", "query_async", "complete", "error", "error_message", "results", "start_time", "pickup_time"),
        *("end_time", "expiration_time", "task_id", "query_progress", "labels", "insight_id", "dashboard_id"),
    }
    assert (done["complete"], done["error"], done["results"]["results"]) == (True, False, [[1]])
    assert done["end_time"].endswith("Z")


def test_async_except_on_cache_miss_waits_when_there_is_nothing_cached(alice: Caller, path: str) -> None:
    answer = alice.post(path, sql("SELECT 1", refresh="async_except_on_cache_miss"))
    assert (answer.status_code, answer.json()["results"]) == (200, [[1]])


def test_a_failed_one_is_a_400_with_its_status(alice: Caller, path: str) -> None:
    started = alice.post(path, sql("SELECT nope", refresh="async")).json()["query_status"]
    answer = finished(alice, path, started["id"])
    assert envelope(answer) == (400, "invalid_input", "Unable to resolve field: nope", None)
    status = answer.json()["query_status"]
    assert (status["complete"], status["error"], status["error_message"]) == (
        True,
        True,
        "Unable to resolve field: nope",
    )


def test_a_fault_of_ours_is_a_500_with_its_status(alice: Caller, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(query, "run", broken)
    started = alice.post(path, sql("SELECT 1", refresh="async")).json()["query_status"]
    answer = finished(alice, path, started["id"])
    assert envelope(answer)[:3] == (500, "error", "A server error occurred.")
    assert answer.json()["query_status"]["error"] is True
    assert b"secret" not in answer.content


def test_an_id_in_use_is_the_same_query_and_can_be_cancelled(alice: Caller, path: str) -> None:
    first = alice.post(path, sql(ENDLESS, refresh="async", client_query_id="mine")).json()["query_status"]
    again = alice.post(path, sql(ENDLESS, refresh="async", client_query_id="mine"))
    assert again.status_code == 202
    assert again.json()["query_status"]["start_time"] == first["start_time"]
    cancelled = alice.delete(f"{path}mine/")
    assert (cancelled.status_code, cancelled.json()) == (200, {"message": "Query cancelled."})
    assert envelope(finished(alice, path, "mine"))[:3] == (400, "invalid_input", "The query was cancelled.")
    assert alice.delete(f"{path}mine/").status_code == 200
    assert alice.delete(f"{path}unknown/").status_code == 200


def test_a_query_that_is_waited_for_can_be_cancelled(alice: Caller, path: str, people: People) -> None:
    answers: list[Any] = []
    other = Caller(people.keys["alice"])
    asking = threading.Thread(target=lambda: answers.append(other.post(path, sql(ENDLESS, client_query_id="mine"))))
    asking.start()
    while asking.is_alive():
        alice.delete(f"{path}mine/")
        asking.join(0.05)
    assert envelope(answers[0])[:3] == (400, "invalid_input", "The query was cancelled.")


def test_unknown_ids_and_those_of_others_are_not_found(
    alice: Caller, bob: Caller, charlie: Caller, path: str, people: People
) -> None:
    alice.post(path, sql("SELECT 1", refresh="async", client_query_id="mine"))
    finished(alice, path, "mine")
    said = f"Query mine not found for team {people.project.pk}"
    assert envelope(bob.get(f"{path}mine/"))[:3] == (404, "not_found", said)
    elsewhere = f"/api/environments/{people.elsewhere.pk}/query/mine/"
    assert envelope(charlie.get(elsewhere))[2] == f"Query mine not found for team {people.elsewhere.pk}"
    assert envelope(alice.get(f"{path}{quote('a b%00')}/"))[0] == 404


def test_other_methods_are_refused(alice: Caller, path: str) -> None:
    assert envelope(alice.get(path))[:2] == (405, "method_not_allowed")
    assert envelope(alice.patch(f"{path}x/", {}))[:2] == (405, "method_not_allowed")


def test_both_prefixes_and_no_trailing_slash(alice: Caller, people: People) -> None:
    answer = alice.post(f"/api/projects/{people.project.pk}/query", sql("SELECT 1"))
    assert answer.json()["results"] == [[1]]


def test_the_document_names_the_operations(alice: Caller) -> None:
    document = alice.get("/api/schema/?format=json").json()
    one = document["paths"]["/api/environments/{project_id}/query/{id}/"]
    assert (
        document["paths"]["/api/environments/{project_id}/query/"]["post"]["operationId"] == "environments_query_create"
    )
    assert {method: one[method]["operationId"] for method in ("get", "delete")} == {
        "get": "environments_query_retrieve",
        "delete": "environments_query_destroy",
    }
    assert {"200", "202", "400"} <= one["get"]["responses"].keys()
