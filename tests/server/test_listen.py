"""The HTTP server: friendly about requests it refuses itself, and an end that loses no answer."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hedgerow.core.config import Config
from hedgerow.core.errors import ConflictError
from hedgerow.server import listen
from hedgerow.server.listen import Listener

SLOW_SECONDS = 0.4


def _app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/slow":
        time.sleep(SLOW_SECONDS)
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(len(body)).encode()]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path, port=0, threads=4)


@pytest.fixture
def listener(config: Config) -> Iterator[Listener]:
    listener = Listener(_app, config)
    thread = threading.Thread(target=listener.run)
    thread.start()
    yield listener
    listener.stop()
    thread.join(10)
    assert not thread.is_alive()


def _connect(listener: Listener) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(listener.address.removeprefix("http://"), timeout=10)


def _refusal(listener: Listener, raw: bytes) -> tuple[int, dict[str, Any]]:
    """The answer to bytes that no well-behaved client sends."""
    host, port = listener.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(raw)
        response = http.client.HTTPResponse(peer)
        response.begin()
        assert response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(response.read())


def test_it_answers_on_the_port_it_says(listener: Listener) -> None:
    connection = _connect(listener)
    connection.request("POST", "/", body=b"12345")

    assert connection.getresponse().read() == b"5"
    connection.close()


def test_a_request_without_host_learns_the_servers_own(config: Config) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}".encode()]

    listener = Listener(app, config)
    thread = threading.Thread(target=listener.run)
    thread.start()
    host, port = listener.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
        response = http.client.HTTPResponse(peer)
        response.begin()
        assert response.read().decode() == f"{host}:{port}"
    listener.stop()
    thread.join(10)


def test_the_application_sees_bodies_above_the_limit_so_that_it_can_refuse_them_kindly(listener: Listener) -> None:
    connection = _connect(listener)
    connection.request("POST", "/", body=b"x" * (listen.BODY_LIMIT + 1))

    assert connection.getresponse().read() == str(listen.BODY_LIMIT + 1).encode()
    connection.close()


def test_a_body_far_above_the_limit_is_refused_in_the_contract_s_envelope(listener: Listener) -> None:
    size = 100 * listen.BODY_LIMIT

    status, body = _refusal(listener, f"POST /api/ HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())

    assert status == 413
    assert body == {
        "type": "invalid_request",
        "code": "request_too_large",
        "detail": "Request body exceeds the limit of 20971520 bytes.",
        "attr": None,
    }


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nBroken\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 300_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n", 501),
    ],
)
def test_broken_requests_get_the_envelope_too(listener: Listener, raw: bytes, status: int) -> None:
    got, body = _refusal(listener, raw)

    assert got == status
    assert set(body) == {"type", "code", "detail", "attr"}


def test_a_request_that_was_begun_is_answered_after_the_stop(config: Config) -> None:
    listener = Listener(_app, config)
    thread = threading.Thread(target=listener.run)
    thread.start()
    connection = _connect(listener)
    connection.request("GET", "/slow")
    time.sleep(SLOW_SECONDS / 4)

    listener.stop()

    assert connection.getresponse().read() == b"0"
    thread.join(10)
    assert not thread.is_alive()
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        _connect(listener).connect()


def test_open_connections_that_ask_nothing_do_not_hold_up_the_stop(config: Config) -> None:
    listener = Listener(_app, config)
    thread = threading.Thread(target=listener.run)
    thread.start()
    connection = _connect(listener)
    connection.request("GET", "/")
    connection.getresponse().read()

    listener.stop()
    listener.stop()

    thread.join(listen.DRAIN_SECONDS / 2)
    assert not thread.is_alive()
    connection.close()


def test_a_taken_port_is_named_with_what_to_do(listener: Listener, config: Config) -> None:
    port = int(listener.address.rsplit(":", 1)[1])

    with pytest.raises(ConflictError, match=rf"Cannot listen on 127\.0\.0\.1:{port}: ") as caught:
        Listener(_app, Config(data_dir=config.data_dir, port=port))

    assert "--port" in caught.value.hint


def test_a_host_that_is_none_is_named_too(config: Config) -> None:
    with pytest.raises(ConflictError, match="Cannot listen on no such host:"):
        Listener(_app, Config(data_dir=config.data_dir, host="no such host", port=0))
