"""Processes that answer queries, one at a time each; the server's only way to DuckDB.

A query that runs too long, is cancelled, or takes its process down costs that process and nothing else. Questions and
answers cross the pipe as JSON: a process that was taken over by its query could not make the server unpickle things.
Light to import: DuckDB is loaded in the children only.
"""

import contextlib
import json
import logging
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

from hedgerow.core import processes
from hedgerow.core.errors import BadRequestError, BrokenError, Cancelled
from hedgerow.lake.answer import Limits, Result, Version

log = logging.getLogger(__name__)

_MIB: Final = 1024 * 1024
_HEADROOM_MIB: Final = 256
"""What a process may take beyond the memory of the query: the answer's own rows, and what DuckDB does not count."""
_GROWTH_MIB: Final = 96
"""A process that keeps more than this after an answer is replaced: idle memory stays low, and what an allocator
holds on to would count against the next query."""
_FIT: Final = b"+"
_GROWN: Final = b"-"
"""The first byte of an answer: whether its process may be kept."""


class BusyError(Exception):
    """No process became free in time."""


@dataclass(eq=False)
class _Child:
    process: ForkServerProcess
    pipe: Connection


@dataclass(eq=False)
class _Ticket:
    """One query of `run`: waiting, or in a child."""

    query_id: str
    child: _Child | None = None
    cancelled: bool = False


@dataclass
class _State:
    idle: list[_Child] = field(default_factory=list)
    tickets: list[_Ticket] = field(default_factory=list)
    busy: int = 0
    closed: bool = False


class QueryPool:
    """Up to `size` query processes over the tables in `storage_url`. Thread-safe.

    Processes start when they are needed (a few milliseconds) and are kept; `warm` starts one beforehand.
    """

    def __init__(self, storage_url: str, size: int, memory_mib: int) -> None:
        self._storage_url = storage_url
        self._size = size
        self._memory_mib = memory_mib
        self._state = _State()
        self._changed = threading.Condition()

    def warm(self) -> None:
        """Have one process ready, so that the first query does not wait for it."""
        with self._changed:
            if not self._state.idle and not self._state.busy and not self._state.closed:
                self._state.idle.append(self._start())

    def run(
        self,
        query_id: str,
        sql: str,
        tables: Mapping[str, str],
        *,
        values: Mapping[str, Any],
        limits: Limits,
        wait: float,
    ) -> Result:
        """Answer one query. `tables` are all that it may read: name → location.

        Waits up to `wait` seconds for a free process, else raises BusyError. Raises BadRequestError for what the
        caller can change (code `timeout_exceeded` when over the time limit), Cancelled after `cancel(query_id)`,
        BrokenError for faults of ours.
        """
        job = {"sql": sql, "values": dict(values), "tables": dict(tables), "limits": asdict(limits)}
        return Result(**self._answer(query_id, job, limits, wait))

    def versions(self, location: str, *, limits: Limits, wait: float) -> list[Version]:
        """The versions of a table that can be read, newest first. Waits and raises as `run` does."""
        job = {"versions": location, "limits": asdict(limits)}
        return [Version(**found) for found in self._answer("", job, limits, wait)["versions"]]

    def _answer(self, query_id: str, job: dict[str, Any], limits: Limits, wait: float) -> dict[str, Any]:
        with self._process(query_id, time.monotonic() + wait) as (ticket, child):
            answer = self._ask(child, job, limits.seconds)
            if ticket.cancelled:
                raise Cancelled
            if answer is None:
                raise _stopped(child, limits)
        return _checked(answer)

    def cancel(self, query_id: str) -> bool:
        """Stop every query with this id, running or waiting. False when there is none."""
        with self._changed:
            found = [t for t in self._state.tickets if t.query_id == query_id]
            for ticket in found:
                ticket.cancelled = True
                if ticket.child is not None:
                    ticket.child.process.kill()
            self._changed.notify_all()
        return bool(found)

    def close(self) -> None:
        """Stop everything; queries under way end as cancelled."""
        with self._changed:
            self._state.closed = True
            for ticket in self._state.tickets:
                ticket.cancelled = True
                if ticket.child is not None:
                    ticket.child.process.kill()
            idle, self._state.idle = self._state.idle, []
            self._changed.notify_all()
        for child in idle:
            _end(child)

    @contextlib.contextmanager
    def _process(self, query_id: str, deadline: float) -> Iterator[tuple[_Ticket, _Child]]:
        """A process for one query; kept afterwards unless it ended or has grown."""
        ticket = _Ticket(query_id)
        child = self._take(ticket, deadline)
        try:
            yield ticket, child
        finally:
            with self._changed:
                self._state.tickets.remove(ticket)
                self._state.busy -= 1
                keep = not self._state.closed and not ticket.cancelled and not child.pipe.closed
                if keep:
                    self._state.idle.append(child)
                self._changed.notify()
            if not keep:
                _end(child)

    def _take(self, ticket: _Ticket, deadline: float) -> _Child:
        with self._changed:
            self._state.tickets.append(ticket)
            try:
                while self._state.busy >= self._size and not ticket.cancelled and not self._state.closed:
                    if not self._changed.wait(deadline - time.monotonic()):
                        raise BusyError
                if ticket.cancelled or self._state.closed:
                    raise Cancelled
                ticket.child = self._ready()
            except BaseException:
                self._state.tickets.remove(ticket)
                raise
            self._state.busy += 1
            return ticket.child

    def _ready(self) -> _Child:
        while self._state.idle:
            child = self._state.idle.pop()
            if child.process.is_alive():
                return child
            _end(child)
        return self._start()

    def _start(self) -> _Child:
        context = processes.forkserver_context()
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(theirs, self._storage_url, self._memory_mib), name="query", daemon=True
        )
        processes.start(process)
        theirs.close()
        return _Child(process, ours)

    @staticmethod
    def _ask(child: _Child, job: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The answer; None when the process ended or ran out of time, and then its pipe is closed."""
        try:
            child.pipe.send_bytes(json.dumps(job).encode())
            if child.pipe.poll(seconds):
                received = child.pipe.recv_bytes()
                if received[:1] == _GROWN:
                    child.pipe.close()
                answer: dict[str, Any] = json.loads(received[1:])
                return answer
        except (EOFError, OSError):
            child.process.join(1)
        child.pipe.close()
        return None


def _stopped(child: _Child, limits: Limits) -> BadRequestError:
    """Why there is no answer: still alive means out of time."""
    if child.process.is_alive():
        return BadRequestError(f"The query took longer than {limits.seconds:g} seconds.", code="timeout_exceeded")
    log.warning("A query process ended with exit code %s", child.process.exitcode)
    return BadRequestError("The query stopped the process it ran in, most likely by its need of memory.")


def _end(child: _Child) -> None:
    child.pipe.close()
    child.process.kill()
    child.process.join(5)
    with contextlib.suppress(ValueError):
        child.process.close()


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, unless it is an error."""
    error = answer.get("error")
    if error is None:
        return answer
    if error["broken"]:
        raise BrokenError(error["message"])
    raise BadRequestError(error["message"])


# ── In the child ────────────────────────────────────────────────────────────────────────────────────────────────────


def _serve(pipe: Connection, storage_url: str, memory_mib: int) -> None:
    """Answer questions until the server closes its end or the process has grown too fat to keep."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes.die_with_parent()
    from hedgerow.lake import query
    from hedgerow.lake.storage import Storage

    storage = Storage(storage_url)
    with contextlib.suppress(EOFError, OSError):
        at_first = _limit_memory(memory_mib + _HEADROOM_MIB)
        while True:
            connection = query.connect(storage)  # made before the question comes: it takes longer than most answers
            answer = query.answer(connection, storage, json.loads(pipe.recv_bytes()))
            connection.close()
            pipe.send_bytes((_GROWN if _data_mib() - at_first > _GROWTH_MIB else _FIT) + answer)


def _limit_memory(mib: int) -> int:
    """DuckDB's own limit does not see every allocation; the kernel does (Linux). Answers what is taken already."""
    taken = _data_mib()
    if sys.platform == "linux":
        allowed = (taken + mib) * _MIB
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    return taken


def _data_mib() -> int:
    """The memory that RLIMIT_DATA counts, in MiB; 0 where that is unknown."""
    with contextlib.suppress(OSError), Path("/proc/self/status").open() as file:
        for line in file:
            if line.startswith("VmData:"):
                return int(line.split()[1]) // 1024
    return 0
