"""Believes X-Forwarded-* from the proxies that are trusted, and from nobody else (api_conventions.md §7)."""

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import Any, Final

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_FORWARDED: Final = ("FOR", "HOST", "PORT", "PROTO", "BY", "SERVER")


class ForwardedHeaders:
    """A WSGI application around another: takes the client's address, host and scheme from a trusted proxy's headers.

    All such headers are dropped on the way, so nothing further in can believe a stranger's.
    """

    def __init__(self, app: App, trusted: str) -> None:
        """`trusted`: addresses and networks, separated by commas, as `core.config` has checked them."""
        self._app = app
        self._trusted = [ip_network(part.strip(), strict=False) for part in trusted.split(",") if part.strip()]

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        said = {name: environ.pop(f"HTTP_X_FORWARDED_{name}", "") for name in _FORWARDED}
        environ.pop("HTTP_FORWARDED", None)
        if self._trusts(environ.get("REMOTE_ADDR", "")):
            self._believe(environ, said)
        return self._app(environ, start_response)

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)

    def _believe(self, environ: Environ, said: dict[str, str]) -> None:
        """The last address that is not a trusted proxy is the client's; what stands before it may be made up."""
        hops = [hop.strip() for hop in said["FOR"].split(",") if hop.strip()]
        client = next((hop for hop in reversed(hops) if not self._trusts(hop)), hops[0] if hops else "")
        if client:
            environ["REMOTE_ADDR"] = environ["REMOTE_HOST"] = client
        scheme = said["PROTO"].rsplit(",", 1)[-1].strip().lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        host = said["HOST"].rsplit(",", 1)[-1].strip()
        if host:
            environ["HTTP_HOST"] = host
