"""What holds for every answer: request ids, safe headers, CORS, optional slashes (api_conventions.md §1, §13)."""

import re
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from hedgerow.core import logs
from hedgerow.core.ids import uuid7

GetResponse = Callable[[HttpRequest], HttpResponse]

_BODILESS: Final = (204, 304)  # every other answer says its length, without which the connection cannot be kept
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_ALLOWED_METHODS: Final = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_ALLOWED_HEADERS: Final = "accept, authorization, content-type, idempotency-key, x-csrftoken, x-request-id"
_SHOWN_HEADERS: Final = (
    "Content-Disposition, Idempotency-Replayed, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
    "Retry-After, WWW-Authenticate, X-Request-Id"
)


def names(setting: str) -> list[str]:
    """A setting's parts between commas."""
    return [part.strip() for part in setting.split(",") if part.strip()]


class Outermost:
    """First in, last out: the trailing slash that may be left out, and the headers of every answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(("/api/", "/_")) and not request.path_info.endswith("/"):
            request.path_info += "/"
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = sent if _SANE_ID.fullmatch(sent) else str(uuid7())
        request.META["HTTP_X_REQUEST_ID"] = request_id
        with logs.about(request=request_id):
            response = self.get_response(request)
        response.headers["X-Request-Id"] = request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.path_info.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
        if not response.streaming and response.status_code not in _BODILESS:
            response.headers.setdefault("Content-Length", str(len(response.content)))
        if request.method == "HEAD" and not response.streaming:  # the server would send it, and garble the connection
            response.content = b""
        return response


class CrossOrigin:
    """CORS below /api/: any origin without cookies, configured origins with them."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        origin = request.META.get("HTTP_ORIGIN", "")
        if not request.path_info.startswith("/api/"):
            return self.get_response(request)
        response = HttpResponse() if origin and request.method == "OPTIONS" else self.get_response(request)
        if origin in names(settings.CONFIG.cors_origins):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
        else:
            response.headers["Access-Control-Allow-Origin"] = "*"
        patch_vary_headers(response, ["Origin"])
        if origin and request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = _ALLOWED_METHODS
            response.headers["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
            response.headers["Access-Control-Max-Age"] = "86400"
        else:
            response.headers["Access-Control-Expose-Headers"] = _SHOWN_HEADERS
        return response
