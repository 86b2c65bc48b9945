"""A source that has gone silent, told from one that is at work: no operation waits for ever.

Neither the driver nor the fast reader has a time-out for reading, and a plain one would be wrong: a sort, a lock or a
search through a large table may keep PostgreSQL busy for an hour before the first row. So after a while without a byte
it is asked, over a new connection, whether it is still at work for us. If it says no, or nothing, the operation's
sockets are shut down, and whoever waits at them sees a lost connection.
"""

import asyncio
import contextlib
import ipaddress
import os
import select
import socket
import stat
import struct
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from hedgerow.connectors import egress

if TYPE_CHECKING:
    import psycopg

Item = TypeVar("Item")

ASK_SECONDS: Final = egress.CONNECT_SECONDS + 5
"""How long the source has for its answer: a new connection and one row."""
_LOOKS: Final = 10
"""How often the sockets are looked at within the time allowed, at least; otherwise once a second."""
_RECEIVED: Final = 128
"""Where Linux's `struct tcp_info` counts the bytes received."""
_COUNTS_BYTES: Final = sys.platform == "linux"
_ASK: Final = "select state, wait_event from pg_catalog.pg_stat_activity where application_name = %s"
_CANNOT_TELL: Final = (None, "disabled")
_BLOCKED: Final = "ClientWrite"
"""It wants to send and cannot."""


class Watch:
    """Over one operation with one server: a context. Only time that is spent waiting for the source counts."""

    def __init__(self, parameters: Mapping[str, str], seconds: float) -> None:
        self.name = f"hedgerow {uuid.uuid4().hex[:8]}"
        """`application_name` of the operation's sessions, by which the server knows them."""
        self.gave_up = False
        self._asking = {**parameters, "application_name": "hedgerow"}
        self._addresses = parameters.get("hostaddr") or parameters["host"]
        self._seconds = seconds
        self._connections: list[psycopg.Connection[Any]] = []
        self._whole_process = False
        self._waiting_since: float | None = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="silence-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def add(self, connection: "psycopg.Connection[Any]") -> None:
        """This connection belongs to the operation."""
        self._connections.append(connection)

    def add_all(self) -> None:
        """So do all connections of this process to the server: those of the fast reader cannot be had one by one."""
        self._whole_process = True

    def over(self, items: Iterator[Item]) -> Iterator[Item]:
        """The same items. While the caller is busy with one, nobody waits for the source."""
        while True:
            self._waiting_since = time.monotonic()
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                self._waiting_since = None
            yield item

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """Inside nobody waits for the source, save in `over`."""
        self._waiting_since = None
        try:
            yield
        finally:
            self._waiting_since = time.monotonic()

    def _run(self) -> None:
        heard = self._heard()
        heard_at = time.monotonic()
        while not self._ended.wait(min(1.0, self._seconds / _LOOKS)):
            if self.gave_up:
                self._cut()  # also what was just being opened
                continue
            now, heard_before = time.monotonic(), heard
            heard = self._heard()
            if heard != heard_before:
                heard_at = now
            since = self._waiting_since
            if since is not None and now - max(since, heard_at) >= self._seconds:
                if self._is_at_work():
                    heard_at = time.monotonic()
                elif self._waiting_since == since:
                    self.gave_up = True
                    self._cut()

    def _heard(self) -> list[tuple[int, int]]:
        """How much has come over each socket; changes with every byte."""
        return [(number, _received(number)) for number in self._sockets()]

    def _is_at_work(self) -> bool:
        """Whether the server says so, or cannot say."""
        import psycopg

        try:
            sessions = asyncio.run(asyncio.wait_for(self._ask(), ASK_SECONDS))
        except (TimeoutError, OSError):
            return False
        except psycopg.Error as error:
            return "FATAL" in str(error) or error.sqlstate is not None  # it has answered, if with a complaint
        return any(
            state in _CANNOT_TELL or (state == "active" and (event != _BLOCKED or not _COUNTS_BYTES))
            for state, event in sessions
        )

    async def _ask(self) -> list[tuple[str | None, str | None]]:
        import psycopg

        connection = await psycopg.AsyncConnection.connect(**self._asking, autocommit=True)  # type: ignore[arg-type] # parameters are all text
        try:
            answer = await connection.execute(_ASK, [self.name])
            return await answer.fetchall()
        finally:
            await connection.close()

    def _cut(self) -> None:
        for number in self._sockets():
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as end:
                end.shutdown(socket.SHUT_RDWR)

    def _sockets(self) -> list[int]:
        """Descriptors of the operation's open connections."""
        if self._whole_process:
            return sorted(_connected_to(self._addresses, int(self._asking["port"])))
        import psycopg

        found = []
        for connection in self._connections:
            with contextlib.suppress(psycopg.Error):
                found.append(connection.fileno())
        return found


def _received(number: int) -> int:
    """Bytes that have come over a socket, as the kernel counts them; always 0 where it does not.

    What has come and is not fetched yet is news at every look: then it is we who are slow.
    """
    with contextlib.suppress(OSError, struct.error), socket.socket(fileno=os.dup(number)) as end:
        waiting = select.poll()
        waiting.register(end, select.POLLIN)
        if waiting.poll(0):
            return time.monotonic_ns()
        if _COUNTS_BYTES:
            return int(struct.unpack_from("Q", end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), _RECEIVED)[0])
    return 0


def _connected_to(addresses: str, port: int) -> Iterator[int]:
    """Descriptors of this process's sockets whose other end is there."""
    wanted = {ipaddress.ip_address(address) for address in addresses.split(",")}
    for entry in Path("/dev/fd").iterdir():
        number = int(entry.name)
        with contextlib.suppress(OSError, ValueError):
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as end:
                if end.family in (socket.AF_INET, socket.AF_INET6):
                    host, there, *_ = end.getpeername()
                    if there == port and ipaddress.ip_address(host.partition("%")[0]) in wanted:
                        yield number
