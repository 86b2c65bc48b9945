"""Every failure is one envelope, whatever raised it."""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.api import errors, projects
from hedgerow.api.fields import ListField, ObjectField
from hedgerow.core import errors as core
from tests.api.conftest import Caller, envelope


class Inner(serializers.Serializer[Any]):
    host = serializers.CharField(max_length=3)
    port = serializers.IntegerField(min_value=1, max_value=9)


class Outer(serializers.Serializer[Any]):
    payload = Inner()
    flag = serializers.BooleanField(required=False)
    kind = serializers.ChoiceField(["a"], required=False)
    id = serializers.UUIDField(required=False)
    address = serializers.URLField(required=False)
    names = ListField(child=serializers.CharField(), required=False)
    settings = ObjectField(required=False)
    each = Inner(many=True, required=False)


GOOD = {"host": "a", "port": 1}


@pytest.mark.parametrize(
    ("sent", "attr", "code", "text"),
    [
        ({}, "payload", "required", "This field is required."),
        ({"payload": None}, "payload", "null", "This field may not be null."),
        ({"payload": {"port": 1}}, "payload__host", "required", "This field is required."),
        ({"payload": GOOD | {"host": ""}}, "payload__host", "blank", "This field may not be blank."),
        (
            {"payload": GOOD | {"host": "abcd"}},
            "payload__host",
            "max_length",
            "Ensure this field has no more than 3 characters.",
        ),
        ({"payload": GOOD | {"host": [1]}}, "payload__host", "invalid_input", "Not a valid string."),
        (
            {"payload": GOOD | {"port": 0}},
            "payload__port",
            "min_value",
            "Ensure this value is greater than or equal to 1.",
        ),
        (
            {"payload": GOOD | {"port": 10}},
            "payload__port",
            "max_value",
            "Ensure this value is less than or equal to 9.",
        ),
        ({"payload": GOOD | {"port": "x"}}, "payload__port", "invalid_input", "A valid integer is required."),
        ({"payload": GOOD, "flag": "maybe"}, "flag", "invalid_input", "Must be a valid boolean."),
        ({"payload": GOOD, "kind": "x"}, "kind", "invalid_choice", '"x" is not a valid choice.'),
        ({"payload": GOOD, "id": "x"}, "id", "invalid_input", "Must be a valid UUID."),
        ({"payload": GOOD, "address": "x"}, "address", "invalid_input", "Enter a valid URL."),
        ({"payload": GOOD, "names": "x"}, "names", "not_a_list", 'Expected a list of items but got type "str".'),
        ({"payload": GOOD, "names": ["a", None]}, "names__1", "null", "This field may not be null."),
        (
            {"payload": GOOD, "settings": "x"},
            "settings",
            "not_a_dict",
            'Expected a dictionary of items but got type "str".',
        ),
        ({"payload": GOOD, "each": [GOOD, {"host": "a"}]}, "each__1__port", "required", "This field is required."),
        (
            {"payload": []},
            "payload",
            "invalid_input",
            "Invalid data. Expected a dictionary, but got list.",
        ),
    ],
)
def test_validation_texts(sent: dict[str, Any], attr: str, code: str, text: str) -> None:
    serializer = Outer(data=sent)
    with pytest.raises(serializers.ValidationError) as caught:
        serializer.is_valid(raise_exception=True)
    assert errors.problem(caught.value).body() == {
        "type": "validation_error",
        "code": code,
        "detail": text,
        "attr": attr,
    }


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "text"),
    [
        (core.BadRequestError("No."), 400, "validation_error", "invalid_input", "No."),
        (core.BadRequestError("No.", code="required"), 400, "validation_error", "required", "No."),
        (core.UnreachableError("No way."), 400, "validation_error", "invalid_input", "No way."),
        (core.DeniedError("No."), 403, "authentication_error", "permission_denied", "No."),
        (core.NotFoundError(), 404, "invalid_request", "not_found", "Not found."),
        (core.ConflictError("Busy."), 409, "server_error", "conflict", "Busy."),
        (core.BrokenError("disk /secret is full"), 500, "server_error", "error", "A server error occurred."),
        (ZeroDivisionError("secret"), 500, "server_error", "error", "A server error occurred."),
        (Http404("secret"), 404, "invalid_request", "not_found", "Not found."),
        (
            PermissionDenied("secret"),
            403,
            "authentication_error",
            "permission_denied",
            "You do not have permission to perform this action.",
        ),
        (DisallowedHost("secret"), 400, "validation_error", "invalid_input", "Bad request."),
        (SuspiciousOperation("secret"), 400, "validation_error", "invalid_input", "Bad request."),
        (
            RequestDataTooBig("secret"),
            413,
            "invalid_request",
            "request_too_large",
            "Request body exceeds the limit of 20971520 bytes.",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            503,
            "server_error",
            "service_unavailable",
            "The disk of the data folder is full. Free some space on it. Scheduled runs then go on by themselves.",
        ),
        (
            OperationalError("secret"),
            503,
            "server_error",
            "service_unavailable",
            "The service is temporarily unavailable.",
        ),
    ],
)
def test_every_error_has_its_status_and_text(error: Exception, status: int, kind: str, code: str, text: str) -> None:
    found = errors.problem(error)
    assert found.status == status
    assert found.body() == {"type": kind, "code": code, "detail": text, "attr": None}


@pytest.mark.parametrize(
    ("wait", "text"), [(0.2, "1 second."), (1, "1 second."), (1.1, "2 seconds."), (42, "42 seconds.")]
)
def test_a_used_up_limit_says_when_to_come_back(wait: float, text: str) -> None:
    found = errors.problem(errors.ThrottledError(wait))
    assert (found.status, found.type, found.code) == (429, "throttled_error", "throttled")
    assert found.detail == f"Request was throttled. Expected available in {text}"
    assert found.headers["Retry-After"] == text.split()[0]


def test_an_error_may_carry_more(base: str) -> None:
    found = errors.problem(core.BadRequestError("No.", field="a__b", extra={"hint": 1}))
    assert found.body(with_message=True) == {
        "type": "validation_error",
        "code": "invalid_input",
        "detail": "No.",
        "attr": "a__b",
        "extra": {"hint": 1},
        "message": "No.",
    }


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Makes GET of a project raise."""

    def install(error: Exception) -> None:
        def retrieve(self: object, request: Request, project_id: str) -> Response:
            raise error

        monkeypatch.setattr(projects.OneProjectView, "retrieve", retrieve)

    return install


def test_a_crash_tells_nothing_but_is_logged(
    alice: Caller, base: str, failing: Callable[[Exception], None], caplog: pytest.LogCaptureFixture
) -> None:
    failing(ZeroDivisionError("the secret"))
    answer = alice.get(base)
    assert answer.json() == {
        "type": "server_error",
        "code": "error",
        "detail": "A server error occurred.",
        "attr": None,
    }
    assert answer.status_code == 500
    assert "the secret" in caplog.text


def test_a_lost_database_is_503_with_retry_after(
    alice: Caller, base: str, failing: Callable[[Exception], None]
) -> None:
    failing(OperationalError("gone"))
    answer = alice.get(base)
    assert envelope(answer)[0] == 503
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_crash_outside_of_any_view_is_an_envelope_too(
    alice: Caller, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*args: object) -> None:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr("hedgerow.api.checks.ContractView.handle_exception", burst)
    answer = alice.get(f"{base}9")
    assert envelope(answer) == (500, "error", "A server error occurred.", None)


@pytest.mark.parametrize("path", ["/api/", "/api/nope", "/api/projects/1/nope/", "/api//projects/", "/api/%ff/%00"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_route_is_json_too(api: type[Caller], method: str, path: str) -> None:
    answer = api().send(method, path)
    assert answer.json() == {
        "type": "invalid_request",
        "code": "not_found",
        "detail": "Endpoint not found.",
        "attr": None,
    }
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("query", ["limit=%00", "search=a%00b", "%00=1"])
def test_a_nul_in_the_query_is_a_bad_request(alice: Caller, query: str) -> None:
    assert envelope(alice.get(f"/api/projects/?{query}"))[:2] == (400, "invalid_input")


def test_broken_utf_8_in_the_query_is_no_crash(alice: Caller) -> None:
    assert alice.get("/api/projects/?search=%ff%fe&limit=%ff").status_code == 200


def test_a_thousand_parameters_are_refused_with_an_envelope(alice: Caller) -> None:
    assert envelope(alice.get("/api/projects/?" + "&".join(f"a{n}=1" for n in range(1001))))[0] == 400


def test_a_malformed_host_is_refused_where_links_need_it(people: object, alice: Caller) -> None:
    answer = alice.get("/api/environments/?limit=1&offset=5", HTTP_HOST="evil/../host")
    assert envelope(answer)[:2] == (400, "invalid_input")
