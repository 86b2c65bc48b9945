"""Pages: limits that never fail, links that lead everywhere once."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from django.test import RequestFactory

from hedgerow.accounts import services
from hedgerow.api import pages
from tests.api.conftest import Caller
from tests.support.people import People

ROWS = list(range(250))


def page(query: str, rows: list[int] = ROWS, **extra: Any) -> dict[str, Any]:
    return pages.page(RequestFactory().get(f"/api/things/?{query}", **extra), rows, lambda n: {"n": n})


@pytest.mark.parametrize(
    ("query", "limit", "offset"),
    [
        ("", 100, 0),
        ("limit=7&offset=3", 7, 3),
        ("limit=0", 100, 0),
        ("limit=-5&offset=-5", 100, 0),
        ("limit=abc&offset=abc", 100, 0),
        ("limit=1.5&offset=1e2", 100, 0),
        ("limit=+5", 5, 0),
        ("limit=%2B5", 5, 0),
        ("limit=1&limit=2", 2, 0),
        ("limit=99999999999999999999", 1000, 0),
        (f"limit={'9' * 5000}&offset={'0' * 5000}", 1000, 0),
        ("limit=%D9%A5", 100, 0),
    ],
)
def test_any_limit_and_offset_mean_something(query: str, limit: int, offset: int) -> None:
    rows = list(range(2000))
    found = page(query, rows)
    assert [item["n"] for item in found["results"]] == rows[offset : offset + limit]


def test_links_lead_through_everything_once_and_back() -> None:
    seen: list[int] = []
    query: str | None = "limit=40&search=%C3%BC+x&tag=1&tag=2"
    last: dict[str, Any] = {}
    while query is not None:
        last = page(query)
        seen += [item["n"] for item in last["results"]]
        query = urlparse(last["next"]).query if last["next"] else None
        if query:
            assert parse_qs(query)["search"] == ["ü x"]
            assert parse_qs(query)["tag"] == ["1", "2"]
    assert seen == ROWS
    steps = 0
    while last["previous"]:
        last = page(urlparse(last["previous"]).query)
        steps += 1
    assert steps == 6
    assert last["results"][0] == {"n": 0}


def test_the_offset_disappears_on_the_way_to_the_first_page() -> None:
    found = page("limit=10&offset=7")
    assert found["previous"] == "http://testserver/api/things/?limit=10"
    assert found["next"] == "http://testserver/api/things/?limit=10&offset=17"
    assert page("limit=10")["previous"] is None
    assert page("limit=250")["next"] is None


def test_links_carry_the_capped_limit_and_never_a_key() -> None:
    found = page("limit=5000&personal_api_key=phx_secret", list(range(1500)))
    assert found["next"] == "http://testserver/api/things/?limit=1000&offset=1000"


@pytest.mark.parametrize("query", ["limit=1&offset=0", "offset=5"])
def test_an_empty_list_has_no_links(query: str) -> None:
    assert page(query, []) == {"count": 0, "next": None, "previous": None, "results": []}


def test_past_the_end_is_an_empty_page() -> None:
    for offset in (250, 251, 10**17):
        found = page(f"offset={offset}")
        assert (found["count"], found["results"], found["next"]) == (250, [], None)


@pytest.mark.parametrize(
    ("environ", "begins"),
    [
        ({"HTTP_HOST": "sync.example.com:8443"}, "http://sync.example.com:8443/"),
        ({"HTTP_HOST": "[::1]:8765"}, "http://[::1]:8765/"),
        ({"wsgi.url_scheme": "https", "HTTP_HOST": "sync.example.com"}, "https://sync.example.com/"),
        ({"SERVER_NAME": "10.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.0"}, "http://10.0.0.1/"),
        ({"HTTP_HOST": "sync.example.com", "HTTP_X_FORWARDED_HOST": "evil"}, "http://sync.example.com/"),
    ],
)
def test_links_are_absolute(environ: dict[str, Any], begins: str) -> None:
    assert page("limit=1", **environ)["next"].startswith(begins)


def test_the_public_address_wins(settings: Any) -> None:
    settings.CONFIG = replace(settings.CONFIG, public_url="https://data.example.com/")
    assert page("limit=1")["next"] == "https://data.example.com/api/things/?limit=1&offset=1"


def test_a_page_of_rows_costs_two_statements(people: People, alice: Caller, django_assert_num_queries: Any) -> None:
    for number in range(3):
        services.create_project(f"P{number}", people.alice, people.organization)
    alice.get("/api/projects/")
    found = alice.get("/api/projects/?limit=2&offset=2").json()
    assert found["count"] == 4
    assert [p["name"] for p in found["results"]] == ["P1", "P2"]
    with django_assert_num_queries(5):  # key, memberships, hidden projects, count, page
        alice.get("/api/projects/?limit=2")
