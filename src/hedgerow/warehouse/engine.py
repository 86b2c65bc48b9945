"""The query processes of this server: one pool for all projects, at most three queries of a project at once."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from django.conf import settings

from hedgerow.core.errors import RateLimitedError
from hedgerow.lake.answer import Limits, Result
from hedgerow.lake.pool import BusyError, QueryPool

WAIT_SECONDS: Final = 30.0
PROJECT_QUERIES: Final = 3
_changed = threading.Condition()
_running: Counter[int] = Counter()


@cache
def pool() -> QueryPool:
    """The processes; made at the first use."""
    config = settings.CONFIG
    return QueryPool(config.storage, config.query_processes, config.query_memory_mib)


def warm() -> None:
    """Have a process ready for the first query, without holding up the caller."""
    threading.Thread(target=pool().warm, name="warm-queries", daemon=True).start()


def run(
    project_id: int,
    query_id: str,
    sql: str,
    tables: Mapping[str, str],
    *,
    values: Mapping[str, Any],
    wait: float = WAIT_SECONDS,
    on_start: Callable[[], None] = lambda: None,
) -> Result:
    """Run one query (see `QueryPool.run`). Raises RateLimitedError when no place became free in `wait` seconds."""
    config = settings.CONFIG
    limits = Limits(seconds=config.query_seconds, memory_mib=config.query_memory_mib)
    deadline = time.monotonic() + wait
    with _place(project_id, deadline):
        on_start()
        left = max(0.0, deadline - time.monotonic())
        try:
            return pool().run(query_id, sql, tables, values=values, limits=limits, wait=left)
        except BusyError as error:
            raise _too_many() from error


@contextmanager
def _place(project_id: int, deadline: float) -> Iterator[None]:
    """One of the project's places."""
    with _changed:
        while _running[project_id] >= PROJECT_QUERIES:
            if not _changed.wait(deadline - time.monotonic()):
                raise _too_many()
        _running[project_id] += 1
    try:
        yield
    finally:
        with _changed:
            _running[project_id] -= 1
            if not _running[project_id]:
                del _running[project_id]
            _changed.notify_all()


def _too_many() -> RateLimitedError:
    return RateLimitedError("Too many queries are running at once.", retry_after=5)
