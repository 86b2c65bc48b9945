"""Pages of lists, and the absolute addresses in their links (api_conventions.md §7)."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.encoding import escape_uri_path

DEFAULT: Final = 100
MOST: Final = 1000
KEY_PARAMETER: Final = "personal_api_key"
_NUMBER: Final = re.compile(r"\+?([0-9]+)")


def page(
    request: HttpRequest, rows: "QuerySet[Any] | Sequence[Any]", to_dict: Callable[[Any], dict[str, Any]]
) -> dict[str, Any]:
    """The page of `rows` that the request's `limit` and `offset` name. `rows` must be in total order.

    A query set costs two statements (one when the offset is past the end), a list none.
    """
    limit, offset = bounds(request)
    count = rows.count() if isinstance(rows, QuerySet) else len(rows)
    items = rows[offset : offset + limit] if offset < count else []
    return {
        "count": count,
        "next": _link(request, limit, offset + limit) if offset + limit < count else None,
        "previous": _link(request, limit, max(0, offset - limit)) if offset and count else None,
        "results": [to_dict(item) for item in items],
    }


def bounds(request: HttpRequest) -> tuple[int, int]:
    """The request's `limit` and `offset`, senseless ones replaced and the limit capped."""
    return min(number(request, "limit") or DEFAULT, MOST), number(request, "offset") or 0


def number(request: HttpRequest, name: str) -> int | None:
    """The parameter as a whole number of at least 0, or None. Never an error."""
    found = _NUMBER.fullmatch(request.GET.get(name, "").strip())
    return int(found[1][:18]) if found else None


def base_url(request: HttpRequest) -> str:
    """Scheme and host of links: the configured public URL, else what the request came to."""
    return str(settings.CONFIG.public_url).rstrip("/") or f"{request.scheme}://{request.get_host()}"


def _link(request: HttpRequest, limit: int, offset: int) -> str:
    query = request.GET.copy()
    query.pop(KEY_PARAMETER, None)
    query["limit"] = str(limit)
    if offset:
        query["offset"] = str(offset)
    else:
        query.pop("offset", None)
    return f"{base_url(request)}{escape_uri_path(request.path)}?{query.urlencode()}"
