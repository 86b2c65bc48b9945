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
from hedgerow.lake.answer import Limits, Result, Version
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
    with _place(project_id, wait) as left:
        on_start()
        return pool().run(query_id, sql, tables, values=values, limits=_limits(), wait=left())


def versions(project_id: int, location: str) -> list[Version]:
    """The versions of a table (see `QueryPool.versions`), read in one of the project's places. Raises as `run` does."""
    with _place(project_id, WAIT_SECONDS) as left:
        return pool().versions(location, limits=_limits(), wait=left())


def _limits() -> Limits:
    config = settings.CONFIG
    return Limits(seconds=config.query_seconds, memory_mib=config.query_memory_mib)


@contextmanager
def _place(project_id: int, wait: float) -> Iterator[Callable[[], float]]:
    """One of the project's places; gives how many of the seconds to wait are left. Raises RateLimitedError."""
    deadline = time.monotonic() + wait
    with _changed:
        while _running[project_id] >= PROJECT_QUERIES:
            if not _changed.wait(deadline - time.monotonic()):
                raise _too_many()
        _running[project_id] += 1
    try:
        yield lambda: max(0.0, deadline - time.monotonic())
    except BusyError as error:
        raise _too_many() from error
    finally:
        with _changed:
            _running[project_id] -= 1
            if not _running[project_id]:
                del _running[project_id]
            _changed.notify_all()


def _too_many() -> RateLimitedError:
    return RateLimitedError("Too many queries are running at once.", retry_after=5)
