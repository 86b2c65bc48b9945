"""Forwarded headers count from trusted proxies only."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from hedgerow.server.forwarded import ForwardedHeaders

SAID = {
    "HTTP_X_FORWARDED_FOR": "203.0.113.9",
    "HTTP_X_FORWARDED_HOST": "data.example.com",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_FORWARDED": "for=203.0.113.9",
}


def _seen(peer: str, trusted: str, **said: str) -> dict[str, Any]:
    """The environment that arrives at the application."""
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], _: Callable[..., Any]) -> Iterable[bytes]:
        seen.update(environ)
        return []

    environ = {"REMOTE_ADDR": peer, "HTTP_HOST": "127.0.0.1:8765", "wsgi.url_scheme": "http", **said}
    ForwardedHeaders(app, trusted)(environ, lambda *_: None)
    return seen


def _believed(seen: dict[str, Any]) -> tuple[str, str, str]:
    return seen["REMOTE_ADDR"], seen["HTTP_HOST"], seen["wsgi.url_scheme"]


@pytest.mark.parametrize("trusted", ["10.0.0.1", "192.0.2.1, 10.0.0.0/8", " 10.0.0.1 ,"])
def test_a_trusted_proxy_is_believed(trusted: str) -> None:
    assert _believed(_seen("10.0.0.1", trusted, **SAID)) == ("203.0.113.9", "data.example.com", "https")


@pytest.mark.parametrize("trusted", ["", "10.0.0.2"])
def test_a_stranger_is_not(trusted: str) -> None:
    assert _believed(_seen("10.0.0.1", trusted, **SAID)) == ("10.0.0.1", "127.0.0.1:8765", "http")


@pytest.mark.parametrize("trusted", ["", "10.0.0.1"])
def test_nothing_further_in_sees_the_headers(trusted: str) -> None:
    assert not SAID.keys() & _seen("10.0.0.1", trusted, **SAID).keys()


def test_what_stands_before_the_last_stranger_may_be_made_up() -> None:
    seen = _seen("10.0.0.1", "10.0.0.0/8", HTTP_X_FORWARDED_FOR="1.2.3.4, 203.0.113.9, 10.0.0.7")

    assert seen["REMOTE_ADDR"] == "203.0.113.9"


def test_a_request_from_a_proxy_itself_has_its_address() -> None:
    seen = _seen("10.0.0.1", "10.0.0.0/8", HTTP_X_FORWARDED_FOR="10.0.0.9, 10.0.0.8")

    assert seen["REMOTE_ADDR"] == "10.0.0.9"


def test_odd_values_change_nothing() -> None:
    seen = _seen("10.0.0.1", "10.0.0.1", HTTP_X_FORWARDED_PROTO="gopher", HTTP_X_FORWARDED_FOR=" , ")

    assert _believed(seen) == ("10.0.0.1", "127.0.0.1:8765", "http")


def test_of_two_schemes_and_hosts_the_nearest_proxy_s_count() -> None:
    seen = _seen(
        "10.0.0.1", "10.0.0.1", HTTP_X_FORWARDED_PROTO="http, HTTPS", HTTP_X_FORWARDED_HOST="evil, data.example.com"
    )

    assert _believed(seen)[1:] == ("data.example.com", "https")


def test_a_peer_without_an_address_is_a_stranger() -> None:
    assert _believed(_seen("", "10.0.0.1", **SAID))[1:] == ("127.0.0.1:8765", "http")
