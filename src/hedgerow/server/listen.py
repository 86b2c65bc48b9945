"""The HTTP server: waitress, with JSON for the requests it refuses itself and an end that loses no answer."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask
from waitress.wasyncore import close_all, dispatcher, loop

from hedgerow.core.config import Config
from hedgerow.core.errors import ConflictError

DRAIN_SECONDS: Final = 5.0
BODY_LIMIT: Final = 20 * 1024 * 1024
# The application refuses a body above BODY_LIMIT with an answer that the client reads. Far above it, the
# connection is closed without reading on, and many clients then see only that.
_READ_LIMIT: Final = 4 * BODY_LIMIT

_REFUSALS: Final = {
    413: ("request_too_large", f"Request body exceeds the limit of {BODY_LIMIT} bytes."),
    431: ("request_too_large", "Request header fields are too large."),
    501: ("not_implemented", "Unsupported transfer encoding."),
}


class _Refusal(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """A request that never reaches the application still gets the contract's error envelope (§5.1)."""

    def execute(self) -> None:
        error = self.request.error
        code, detail = _REFUSALS.get(error.code, ("parse_error", f"Bad request: {error.body}"))
        kind = "server_error" if error.code >= 500 else "invalid_request"
        body = json.dumps({"type": kind, "code": code, "detail": detail, "attr": None}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    error_task_class = _Refusal


class Listener:
    """Answers requests from `run()` until `stop()`, which may be called from a signal handler."""

    def __init__(self, app: Callable[..., Any], config: Config) -> None:
        """Take the address. Raises ConflictError when it cannot be had."""
        self._sockets: dict[int, Any] = {}
        self._stopping = threading.Event()
        try:
            create_server(
                app,
                map=self._sockets,
                host=config.host,
                port=config.port,
                threads=config.threads,
                ident="hedgerow",
                # The host of links when a request names none (HTTP/1.0).
                server_name=f"[{config.host}]" if ":" in config.host else config.host,
                max_request_body_size=_READ_LIMIT,
                connection_limit=1000,
                clear_untrusted_proxy_headers=False,  # the application knows the proxies to trust
            )
        except (OSError, ValueError) as error:
            close_all(self._sockets)
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ConflictError(
                f"Cannot listen on {config.host}:{config.port}: {reason}.",
                hint="Stop what uses the port, or choose another with --port or HEDGEROW_PORT.",
            ) from error
        self._servers = [s for s in self._sockets.values() if isinstance(s, BaseWSGIServer)]
        for server in self._servers:
            server.channel_class = _Channel

    @property
    def address(self) -> str:
        """`http://host:port`, with the port that was taken."""
        host, port = self._servers[0].effective_host, self._servers[0].effective_port
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self) -> None:
        """Answer until stopped; then refuse new connections, finish what was begun, and return."""
        while not self._stopping.is_set():
            loop(timeout=1, use_poll=True, map=self._sockets, count=1)
        for server in self._servers:
            dispatcher.close(server)  # only the listening socket: threads still wake the loop through its trigger
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._busy() and time.monotonic() < deadline:
            loop(timeout=0.05, use_poll=True, map=self._sockets, count=1)
        self._servers[0].task_dispatcher.shutdown(timeout=1)  # one for all sockets
        close_all(self._sockets)

    def stop(self) -> None:
        """Make `run` end soon."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._servers[0].pull_trigger()

    def _busy(self) -> bool:
        channels = [c for server in self._servers for c in list(server.active_channels.values())]
        return any(c.requests or c.request is not None or c.total_outbufs_len for c in channels)
