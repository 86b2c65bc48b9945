"""The application that a WSGI server calls; for `hedgerow serve` and for anybody's own server."""

from collections.abc import Callable, Iterable
from importlib import import_module
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

from django.conf import settings
from django.core.wsgi import get_wsgi_application

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_FORWARDED: Final = ("FOR", "HOST", "PORT", "PROTO", "BY", "SERVER")


class ForwardedHeaders:
    """Takes the client's address, host and scheme from X-Forwarded-*, when a trusted proxy says them.

    From anybody else these headers are dropped, so nothing behind this can believe them
    (api_conventions.md §7: forwarded headers count only from trusted proxies).
    """

    def __init__(self, app: App, trusted: str) -> None:
        """`trusted`: addresses or networks, separated by commas. Raises ValueError for anything else."""
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
        networks: list[IPv4Network | IPv6Network] = self._trusted
        return any(parsed in network for network in networks)

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


def make_application() -> App:
    """The whole application, with its routes loaded, so that the first request is not a slow one."""
    django_app = get_wsgi_application()
    import_module(settings.ROOT_URLCONF)
    return ForwardedHeaders(django_app, settings.CONFIG.trusted_proxies)


application = make_application()
