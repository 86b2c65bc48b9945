"""Callers of the API: real requests through the whole stack, whose failures come back as answers."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.http import HttpResponse
from django.test import Client

from hedgerow.api import limits
from tests.support.people import People

if TYPE_CHECKING:
    from tests.api.trees import Tree


class Caller:
    """Sends requests with a key (or none). Bodies are JSON; answers are Django's, with `.json()`."""

    def __init__(self, key: str | None = None, **defaults: Any) -> None:
        self.client = Client(raise_request_exception=False, **defaults)
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    def send(self, method: str, path: str, body: Any = None, *, content_type: str = "", **extra: Any) -> Any:
        """The answer to any request. A body that is not bytes or text is sent as JSON."""
        raw = body if isinstance(body, bytes | str) else b"" if body is None else json.dumps(body)
        headers = self.headers | extra.pop("headers", {})
        return self.client.generic(
            method, path, raw, content_type=content_type or "application/json", headers=headers, **extra
        )

    def get(self, path: str, **extra: Any) -> Any:
        return self.send("GET", path, **extra)

    def post(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.send("POST", path, body, **extra)

    def patch(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.send("PATCH", path, body, **extra)

    def put(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.send("PUT", path, body, **extra)

    def delete(self, path: str, **extra: Any) -> Any:
        return self.send("DELETE", path, **extra)


@pytest.fixture
def api(db: None) -> Callable[..., Caller]:
    """`api(key)`: a caller with that key; `api()`: one without."""
    return Caller


@pytest.fixture
def alice(people: People) -> Caller:
    """Owns the project."""
    return Caller(people.keys["alice"])


@pytest.fixture
def bob(people: People) -> Caller:
    """A plain member."""
    return Caller(people.keys["bob"])


@pytest.fixture
def vera(people: People) -> Caller:
    """May only view."""
    return Caller(people.keys["vera"])


@pytest.fixture
def charlie(people: People) -> Caller:
    """A stranger."""
    return Caller(people.keys["charlie"])


@pytest.fixture
def base(people: People) -> str:
    """The address of Alice's project, without trailing slash."""
    return f"/api/environments/{people.project.pk}"


@pytest.fixture
def tree(alice: Caller, base: str) -> "Tree":
    """Alice with the tree of her project."""
    from tests.api.trees import Tree

    return Tree(alice, base)


@pytest.fixture(autouse=True)
def _quick_and_fresh(settings: Any) -> Iterator[None]:
    """Passwords hash fast; no request counts from another test."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    limits.reset()
    yield
    limits.reset()


def envelope(answer: HttpResponse) -> tuple[int, str, str, str | None]:
    """(status, code, detail, attr) of a failure."""
    body = json.loads(answer.content)
    assert {"type", "code", "detail", "attr"} <= body.keys(), body
    return answer.status_code, body["code"], body["detail"], body["attr"]
