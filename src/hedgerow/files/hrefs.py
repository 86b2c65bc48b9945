"""Addresses that clients may follow (§2). Pure."""

import re
from typing import Final

from hedgerow.core.errors import BadRequestError

_RUNS_CODE: Final = re.compile(r"(javascript|data|vbscript):", re.IGNORECASE)
_IGNORED_BY_BROWSERS: Final = re.compile(r"[\x00-\x20\x7f-\xa0]")


def check_href(href: str | None, field: str = "href") -> None:
    """Raises BadRequestError for an address that would run code when it is followed."""
    if href and _RUNS_CODE.match(_IGNORED_BY_BROWSERS.sub("", href.strip())):
        raise BadRequestError("Addresses that run code are not allowed.", field=field)
