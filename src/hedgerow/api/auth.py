"""Finding out who is asking: a key in the header, the body or the query string, else a session (§2)."""

import re
from typing import Final

from django.conf import settings
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from hedgerow.accounts import keys, sessions
from hedgerow.accounts.access import Actor
from hedgerow.api import limits
from hedgerow.api.errors import UnauthenticatedError
from hedgerow.api.pages import KEY_PARAMETER
from hedgerow.core.errors import DeniedError

_SESSION: Final = re.compile("[a-z0-9]{32}")


def header_key(header: str) -> str:
    """The key in an Authorization header; empty for other schemes and when nothing follows the word."""
    scheme, _, value = header.strip().partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def body_key(body: object) -> str:
    """The key in a parsed body, if it is an object that has one."""
    value = body.get(KEY_PARAMETER) if isinstance(body, dict) else None
    return str(value).strip() if isinstance(value, str) else ""


def identify(request: Request, body: object) -> Actor:
    """Who is asking. Only the first place that holds a key is tried. Raises UnauthenticatedError, ThrottledError."""
    places = (
        ("Authorization header", header_key(request.META.get("HTTP_AUTHORIZATION", ""))),
        ("body", body_key(body)),
        ("query string", request.query_params.get(KEY_PARAMETER, "").strip()),
    )
    for place, value in places:
        if value:
            return _by_key(request, place, value)
    return _by_session(request)


def _by_key(request: Request, place: str, value: str) -> Actor:
    key = keys.find(value)
    if key is None:
        headers = limits.count("ordinary", f"address {address(request)}")
        text = f"Personal API key found in request {place} is invalid."
        raise UnauthenticatedError(text, "authentication_failed", headers)
    return Actor(key.user, key)


def _by_session(request: Request) -> Actor:
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    user = sessions.signed_in(request.session) if _SESSION.fullmatch(cookie) else None
    if user is None:
        raise UnauthenticatedError
    require_csrf(request)
    return Actor(user)


def require_csrf(request: Request) -> None:
    """Raises DeniedError for a changing request without the CSRF token."""
    try:
        SessionAuthentication().enforce_csrf(request)
    except PermissionDenied as error:
        raise DeniedError(str(error.detail)) from error


def cookie_origins() -> list[str]:
    """The other origins whose pages may use the session cookie."""
    return list(settings.CSRF_TRUSTED_ORIGINS)


def address(request: Request) -> str:
    """The peer's address, or the client's behind a trusted proxy."""
    return str(request.META.get("REMOTE_ADDR", ""))
