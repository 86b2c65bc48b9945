"""One session with a server: address, key, project; answers as plain data, failures as the errors of `core.errors`."""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hedgerow.core.errors import (
    AppError,
    BadRequestError,
    BrokenError,
    ConflictError,
    DeniedError,
    NotFoundError,
    UnreachableError,
)

PAGE: Final = 1000
_SECONDS: Final = 60.0
_KINDS: Final[Mapping[int, type[AppError]]] = {
    400: BadRequestError,
    401: DeniedError,
    403: DeniedError,
    404: NotFoundError,
    409: ConflictError,
}


class _NoRedirects(HTTPRedirectHandler):
    """The key goes to the address that was named and to no other."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


_OPENER: Final = build_opener(_NoRedirects)


@dataclass(frozen=True)
class Client:
    """Speaks to the server at `address` with `key`, about one project (an id, or `@current`)."""

    address: str
    key: str
    project: str = "@current"

    def ask(self, method: str, path: str, body: Any = None, /, **query: Any) -> Any:
        """The answer to a request below the project; None when it has no body.

        Raises BadRequestError, DeniedError, NotFoundError and ConflictError as the server means them,
        UnreachableError when there is none, BrokenError for everything else.
        """
        address = f"{self.address.rstrip('/')}/api/environments/{quote(self.project, safe='@')}/{path}"
        request = Request(  # noqa: S310 - the address is a setting that begins with http
            address + (f"?{urlencode(query)}" if query else ""),
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with _OPENER.open(request, timeout=_SECONDS) as answer:
                return _parsed(answer.read())
        except HTTPError as error:
            with error:
                raise _failure(error.code, _parsed(error.read())) from None
        except (URLError, OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise UnreachableError(
                f"The server at {self.address} does not answer: {reason}.",
                hint="Start it with `hedgerow serve`, or name another with --server or HEDGEROW_SERVER_URL.",
            ) from error

    def every(self, path: str, /, **query: Any) -> Iterator[dict[str, Any]]:
        """All results of a list, read page by page."""
        offset, more = 0, True
        while more:
            page = self.ask("GET", path, **query, limit=PAGE, offset=offset)
            yield from page["results"]
            offset, more = offset + PAGE, page["next"] is not None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _failure(status: int, body: Any) -> AppError:
    """The server's own words as the error they stand for."""
    known = body if isinstance(body, dict) else {}
    text = str(known.get("detail") or f"The server answered {status}.")
    kind = _KINDS.get(status)
    return BrokenError(text) if kind is None else kind(text, field=known.get("attr"))
