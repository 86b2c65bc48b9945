"""What the client makes of answers that are not the API's: proxies, wrong addresses, servers that break off."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hedgerow.client.http import Client
from hedgerow.core.errors import BrokenError, DeniedError, UnreachableError


class Odd(BaseHTTPRequestHandler):
    """Answers by the last part of the path; notes the keys it was shown."""

    keys: list[str] = []

    def do_GET(self) -> None:
        self.keys.append(f"{self.path} {self.headers['Authorization']}")
        name = self.path.rpartition("/")[2]
        if name == "cut":
            self.connection.close()
            return
        status, body = {"moved": (302, b""), "html": (502, b"<html>"), "denied": (403, b"{}")}[name]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def client() -> Iterator[Client]:
    Odd.keys.clear()
    with HTTPServer(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Client(f"http://127.0.0.1:{server.server_port}/", "phx_key")
        server.shutdown()
        thread.join()


def test_the_key_follows_no_redirect(client: Client) -> None:
    with pytest.raises(BrokenError, match="The server answered 302"):
        client.ask("GET", "moved")
    assert Odd.keys == ["/api/environments/@current/moved Bearer phx_key"]


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("html", BrokenError, "The server answered 502."),
        ("denied", DeniedError, "The server answered 403."),
        ("cut", UnreachableError, "does not answer"),
    ],
)
def test_what_is_not_the_api_s_answer_is_told_all_the_same(
    client: Client, path: str, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        client.ask("GET", path)
