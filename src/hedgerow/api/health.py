"""/_livez, /_readyz and /_health: for load balancers and people on call (api_conventions.md §13)."""

import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Final

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from hedgerow.sync import health

log = logging.getLogger(__name__)

SECONDS: Final = 3.0


def database_answers() -> bool:
    """Whether the metadata can be read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def cache_works() -> bool:
    """Whether what is put into the cache comes out again."""
    name, value = f"probe-{uuid.uuid4().hex}", uuid.uuid4().hex
    cache.set(name, value, 10)
    return bool(cache.get(name) == value)


def storage_writable() -> bool:
    """Whether tables can be written."""
    return health.storage_writable(settings.CONFIG.storage)


CHECKS: Final[Mapping[str, Callable[[], bool]]] = {
    "http": lambda: True,
    "postgres": database_answers,  # the contract's word for the metadata database, whichever it is
    "cache": cache_works,
    "storage": storage_writable,
    "worker": health.worker_alive,
}
ROLES: Final = {"": tuple(CHECKS), "web": ("http", "postgres", "cache", "storage"), "worker": tuple(CHECKS)}

_lock = threading.Lock()
_running: dict[str, Future[bool]] = {}
_threads = ThreadPoolExecutor(max_workers=len(CHECKS), thread_name_prefix="health")


def livez(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all."""
    return JsonResponse({"http": True})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when all that is needed works, else 503; one boolean each."""
    role = request.GET.get("role", "")
    if role not in ROLES:
        return JsonResponse({"error": "InvalidRole"}, status=400)
    found = _run(ROLES[role])
    counted = [ok for name, ok in found.items() if name not in request.GET.getlist("exclude")]
    return JsonResponse(found, status=200 if all(counted) else 503)


def healthy(request: HttpRequest) -> HttpResponse:
    """200 `ok` when the database is reachable and has all its tables, else 503."""
    ok = _run_one("migrated", migrated)
    return HttpResponse("ok" if ok else "not ok", status=200 if ok else 503, content_type="text/plain")


_complete = False


def migrated() -> bool:
    """Whether the database is reachable and no migration is missing; once true only reachability is looked at."""
    global _complete
    if not _complete:
        executor = MigrationExecutor(connection)
        _complete = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _complete and database_answers()


def _run(names: tuple[str, ...]) -> dict[str, bool]:
    futures = {name: _start(name, CHECKS[name]) for name in names}
    wait_for(futures.values(), timeout=SECONDS)
    return {name: future.done() and future.result() for name, future in futures.items()}


def _run_one(name: str, check: Callable[[], bool]) -> bool:
    future = _start(name, check)
    wait_for([future], timeout=SECONDS)
    return future.done() and future.result()


def _start(name: str, check: Callable[[], bool]) -> "Future[bool]":
    """The check under way; one that hangs is not started a second time."""
    with _lock:
        future = _running.get(name)
        if future is None or future.done():
            future = _running[name] = _threads.submit(_safely, name, check)
        return future


def _safely(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:
        log.warning("The health check %s failed.", name, exc_info=True)
        return False
    finally:
        connection.close()
