"""Headers of every answer, and who may call from a browser."""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from hedgerow.api.middleware import Outermost
from tests.api.conftest import Caller
from tests.support.people import People

PATHS = ["/api/projects/", "/api/nope", "/_livez", "/nope"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_an_id_and_forbids_guessing_types(api: type[Caller], path: str) -> None:
    answer = api().get(path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [("abc-123_x.y:z", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("é", False), ("", False)],
)
def test_a_sane_request_id_is_echoed(api: type[Caller], sent: str, echoed: bool) -> None:
    answer = api().get("/_livez", HTTP_X_REQUEST_ID=sent)
    assert (answer.headers["X-Request-Id"] == sent) is echoed


def test_data_is_never_cached(alice: Caller, base: str) -> None:
    for path in (base, "/api/nope", "/api/projects/"):
        assert alice.get(path).headers["Cache-Control"] == "no-store"


def test_204_has_neither_body_nor_type(people: People, alice: Caller) -> None:
    roles = f"/api/organizations/{people.organization.pk}/roles/"
    role = alice.post(roles, {"name": "r"}).json()["id"]
    answer = alice.delete(f"{roles}{role}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
def test_every_other_answer_says_its_length(api: type[Caller], path: str) -> None:
    answer = api().get(path)
    assert answer.headers["Content-Length"] == str(len(answer.content))


def test_head_has_the_length_of_get_and_no_body() -> None:
    """Asked of the middleware itself: the test client drops bodies of HEAD that a server would send."""
    outermost = Outermost(lambda request: HttpResponse(b"data"))
    answer = outermost(RequestFactory().head("/api/projects/"))
    assert (answer.headers["Content-Length"], answer.content) == ("4", b"")


def test_a_preflight_is_answered_without_key(api: type[Caller], base: str) -> None:
    headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PATCH"}
    answer = api().send("OPTIONS", f"{base}/external_data_sources/", headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for name in ("authorization", "content-type", "idempotency-key"):
        assert name in answer.headers["Access-Control-Allow-Headers"]
    for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        assert method in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    ("origin", "allowed", "with_cookies"),
    [
        ("https://app.example.com", "https://app.example.com", True),
        ("https://evil.example.com", "*", False),
        ("null", "*", False),
        (None, "*", False),
    ],
)
def test_only_configured_origins_may_send_cookies(
    alice: Caller, base: str, settings: Any, origin: str | None, allowed: str, with_cookies: bool
) -> None:
    settings.CONFIG = replace(settings.CONFIG, cors_origins="https://other.example.com, https://app.example.com")
    headers = {"Origin": origin} if origin else {}
    for answer in (alice.get(base, headers=headers), alice.get("/api/projects/9", headers=headers)):
        assert answer.headers["Access-Control-Allow-Origin"] == allowed
        assert ("Access-Control-Allow-Credentials" in answer.headers) is with_cookies
        assert "Origin" in answer.headers["Vary"]
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


def test_options_without_origin_needs_a_key_and_says_what_is_allowed(alice: Caller, base: str) -> None:
    answer = alice.send("OPTIONS", base)
    assert (answer.status_code, answer.json()) == (200, {})
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "PATCH", "HEAD", "OPTIONS"}
