"""Every failure becomes one envelope (api_conventions.md §5). The only place that maps errors to answers."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response

from hedgerow.core import disk
from hedgerow.core import errors as core

log = logging.getLogger(__name__)

BODY_LIMIT: Final = 20 * 1024 * 1024
NO_PERMISSION: Final = "You do not have permission to perform this action."
_WAIT_WHEN_DOWN: Final = 5

_TYPES: Final[Mapping[int, tuple[str, str, str]]] = {
    # status: type, code, default text
    400: ("validation_error", "invalid_input", "Bad request."),
    401: ("authentication_error", "not_authenticated", "Authentication credentials were not provided."),
    403: ("authentication_error", "permission_denied", NO_PERMISSION),
    404: ("invalid_request", "not_found", "Not found."),
    405: ("invalid_request", "method_not_allowed", ""),
    406: ("invalid_request", "not_acceptable", "Could not satisfy the request Accept header."),
    409: ("server_error", "conflict", ""),
    413: ("invalid_request", "request_too_large", f"Request body exceeds the limit of {BODY_LIMIT} bytes."),
    415: ("invalid_request", "unsupported_media_type", ""),
    429: ("throttled_error", "throttled", ""),
    500: ("server_error", "error", "A server error occurred."),
    503: ("server_error", "service_unavailable", "The service is temporarily unavailable."),
}

# codes of the framework that the contract shows as they are (§5.3); all its others are `invalid_input`
_SHOWN: Final = """
    required null blank invalid_choice max_length min_value max_value not_a_list not_a_dict does_not_exist
    incorrect_type unique
"""
_STATUS: Final = (
    (core.BadRequestError, 400),
    (core.DeniedError, 403),
    (core.NotFoundError, 404),
    (core.ConflictError, 409),
    (core.OutsideError, 400),
)


class UnauthenticatedError(Exception):
    """No key, or one that is not valid (§2.2)."""

    def __init__(
        self,
        message: str = _TYPES[401][2],
        code: str = "not_authenticated",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = dict(headers or {})


class TooLargeError(Exception):
    """The body is over the limit."""


class ThrottledError(Exception):
    """A limit is used up; it has room again in `wait` seconds."""

    def __init__(self, wait: float, headers: Mapping[str, str] | None = None) -> None:
        super().__init__("Request was throttled.")
        self.wait = max(1, math.ceil(wait))
        self.headers = dict(headers or {})


class Problem:
    """One failure on its way out: status, the envelope's members, headers."""

    def __init__(self, status: int, detail: str = "", *, code: str = "", attr: str | None = None) -> None:
        self.status = status
        self.type, self.code, text = _TYPES[status]
        self.code, self.detail, self.attr = code or self.code, detail or text, attr
        self.extra: dict[str, Any] | None = None
        self.headers: dict[str, str] = {}

    def body(self, *, with_message: bool = False) -> dict[str, Any]:
        """The envelope. With `message`, routes whose reference answers only that carry it as well (§5.3)."""
        envelope: dict[str, Any] = {"type": self.type, "code": self.code, "detail": self.detail, "attr": self.attr}
        if self.extra is not None:
            envelope["extra"] = self.extra
        if with_message and self.status == HTTPStatus.BAD_REQUEST:
            envelope["message"] = self.detail
        return envelope


def problem(error: Exception) -> Problem:
    """What a failure looks like outside. Anything unknown is a 500 that tells nothing."""
    for translate in (_of_ours, _of_a_disk, _of_the_framework, _of_django):
        found = translate(error)
        if found is not None:
            return found
    return Problem(500)


def handler(error: Exception, context: dict[str, Any]) -> Response:
    """The framework's hook: every exception of a view, as its answer."""
    found = problem(error)
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        trace = None if disk.explain(error) else error
        log.error("The request failed: %s", found.detail, exc_info=trace)
    with_message = getattr(context.get("view"), "answers_message", False)
    return Response(found.body(with_message=with_message), status=found.status, headers=found.headers)


def _of_ours(error: Exception) -> Problem | None:
    if isinstance(error, UnauthenticatedError):
        found = Problem(401, str(error), code=error.code)
        found.headers = error.headers | {"WWW-Authenticate": "Bearer"}
        return found
    if isinstance(error, ThrottledError):
        unit = "second" if error.wait == 1 else "seconds"
        found = Problem(429, f"Request was throttled. Expected available in {error.wait} {unit}.")
        found.headers = error.headers | {"Retry-After": str(error.wait)}
        return found
    if isinstance(error, TooLargeError):
        return Problem(413)
    for kind, status in _STATUS:
        if isinstance(error, kind):
            code = "" if isinstance(error, core.OutsideError) else error.code
            found = Problem(status, error.message, code=code, attr=error.field)
            found.extra = error.extra
            return found
    return None


def _of_a_disk(error: Exception) -> Problem | None:
    """What cannot be stored now is refused and can be sent again; what is only read goes on being answered."""
    found = disk.explain(error, "data folder")
    return None if found is None else _unavailable(f"{found.message} {found.hint}")


def _unavailable(detail: str = "") -> Problem:
    found = Problem(503, detail)
    found.headers["Retry-After"] = str(_WAIT_WHEN_DOWN)
    return found


def _of_the_framework(error: Exception) -> Problem | None:
    if isinstance(error, drf.ValidationError):
        attr, code, text = first_error(error.detail)
        return Problem(400, text, code=code if code in _SHOWN.split() else "invalid_input", attr=attr)
    if isinstance(error, drf.ParseError):
        found = Problem(400, str(error.detail), code="parse_error")
        found.type = "invalid_request"
        return found
    if isinstance(error, drf.APIException) and error.status_code in _TYPES:
        return Problem(error.status_code, "" if isinstance(error, drf.NotAcceptable) else str(error.detail))
    return None


def _of_django(error: Exception) -> Problem | None:
    if isinstance(error, Http404):
        return Problem(404)
    if isinstance(error, PermissionDenied):
        return Problem(403)
    if isinstance(error, RequestDataTooBig):
        return Problem(413)
    if isinstance(error, SuspiciousOperation):
        return Problem(400)
    if isinstance(error, OperationalError | InterfaceError):
        return _unavailable()
    return None


def first_error(detail: Any, path: tuple[str, ...] = ()) -> tuple[str | None, str, str]:
    """(attr, code, text) of the first error in the framework's nested form; names are joined with `__`."""
    if isinstance(detail, dict):
        name, inner = next((name, inner) for name, inner in detail.items() if inner)
        return first_error(inner, path if name == "non_field_errors" else (*path, str(name)))
    if isinstance(detail, list):
        place, inner = next((place, inner) for place, inner in enumerate(detail) if inner)
        return first_error(inner, path if not isinstance(inner, dict) else (*path, str(place)))
    return "__".join(path) or None, getattr(detail, "code", "invalid"), str(detail)


def answer(found: Problem) -> JsonResponse:
    """The envelope as a plain Django answer, for failures outside of any view."""
    return JsonResponse(found.body(), status=found.status, headers=found.headers)


def _outside_views(request: HttpRequest, found: Problem) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        return answer(found)
    return HttpResponse(f"{found.detail}\n", status=found.status, content_type="text/plain; charset=utf-8")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: bad hosts, suspicious operations, too many fields."""
    return _outside_views(request, problem(exception) if isinstance(exception, RequestDataTooBig) else Problem(400))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return _outside_views(request, Problem(403))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404: a route that does not exist."""
    return _outside_views(request, Problem(404, "Endpoint not found."))


def broken(request: HttpRequest) -> HttpResponse:
    """Django's handler500; Django has logged the exception."""
    return _outside_views(request, Problem(500))
