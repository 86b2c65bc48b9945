"""Queries that run while nobody waits (api_conventions.md §11.2): QueryRun rows tell how far they are.

They run in threads of the server, which only wait for a query process. A query that was under way when its server
ended is reported as failed: its asker may send it again, and a restart never sets off a pile of old queries.
"""

import json
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from hedgerow.accounts.access import Actor
from hedgerow.core.clock import now
from hedgerow.core.errors import BadRequestError, Cancelled, NotFoundError, RateLimitedError
from hedgerow.core.ids import uuid7
from hedgerow.warehouse import engine, query
from hedgerow.warehouse.models import QueryRun
from hedgerow.warehouse.query import Prepared

log = logging.getLogger(__name__)

KEPT: Final = timedelta(minutes=20)
QUEUED, RUNNING, COMPLETE, FAILED, CANCELLED = "queued", "running", "complete", "failed", "cancelled"
UNDER_WAY: Final = (QUEUED, RUNNING)
LOST: Final = "The server was restarted while this query was under way. Send it again."
_HOST: Final = socket.gethostname()


@cache
def _holder() -> str:
    """This process: host, process id, and a part that a later process with the same id does not have."""
    return f"{_HOST[:200]}/{os.getpid()}/{uuid7()}"


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.CONFIG.query_processes, thread_name_prefix="queries")


def start(prepared: Prepared) -> QueryRun:
    """Run it in the background. An id of the same person that is still under way is answered with its status."""
    QueryRun.objects.filter(expiration_time__lt=now()).delete()
    mine = QueryRun.objects.filter(project_id=prepared.project_id, user_id=prepared.user_id, query_id=prepared.query_id)
    try:
        with transaction.atomic():
            earlier = mine.first()
            if earlier is not None and _current(earlier).state in UNDER_WAY:
                return earlier
            mine.delete()
            run = QueryRun.objects.create(
                project_id=prepared.project_id,
                user_id=prepared.user_id,
                query_id=prepared.query_id,
                holder=_holder(),
                expiration_time=now() + KEPT,
            )
    except IntegrityError:  # the same id was sent twice at once, and the other was faster
        return mine.get()
    _threads().submit(_work, run.pk, prepared)
    return run


def find(actor: Actor, query_id: str) -> QueryRun:
    """The status of a query the actor has sent. Raises NotFoundError with the contract's text."""
    run = QueryRun.objects.filter(
        project=actor.project, user=actor.user, query_id=query_id, expiration_time__gt=now()
    ).first()
    if run is None:
        project_id = actor.project.pk if actor.project else 0
        raise NotFoundError(f"Query {query_id} not found for team {project_id}")
    return _current(run)


def cancel(actor: Actor, query_id: str) -> None:
    """Stop a query the actor has sent, waited for or not; nothing happens when it is unknown or finished."""
    project_id = actor.project.pk if actor.project else 0
    QueryRun.objects.filter(project_id=project_id, user=actor.user, query_id=query_id, state__in=UNDER_WAY).update(
        state=CANCELLED, error_message="The query was cancelled.", error_is_users=True, end_time=now()
    )
    engine.pool().cancel(query.pool_id(project_id, actor.user.pk, query_id))


def close() -> None:
    """Stop every query, waiting or running, at the server's end."""
    _threads().shutdown(wait=False, cancel_futures=True)
    engine.pool().close()


def _work(run_id: int, prepared: Prepared) -> None:
    try:
        if _advance(run_id, (QUEUED,), state=RUNNING, pickup_time=now()):
            _advance(run_id, (RUNNING,), **_outcome(prepared), end_time=now())
    except Exception:
        log.exception("A query in the background could not be recorded")
    finally:
        connection.close()


def _outcome(prepared: Prepared) -> dict[str, Any]:
    try:
        answer = query.run(prepared, wait=KEPT.total_seconds())
    except (BadRequestError, RateLimitedError) as error:
        text = error.message.replace("\0", "")  # which no database holds
        return {"state": FAILED, "error_message": text, "error_is_users": True}
    except Cancelled:
        return {"state": CANCELLED, "error_message": LOST, "error_is_users": True}
    except Exception:
        log.exception("A query in the background failed")
        return {"state": FAILED, "error_message": "A server error occurred."}
    return {"state": COMPLETE, "results": json.dumps(answer, allow_nan=False)}


def _advance(run_id: int, states: tuple[str, ...], **changes: Any) -> bool:
    """Write, unless somebody (a cancel) was faster."""
    return bool(QueryRun.objects.filter(pk=run_id, state__in=states).update(**changes))


def _current(run: QueryRun) -> QueryRun:
    """The run, told as failed when the process that worked on it is gone."""
    if run.state in UNDER_WAY and _is_gone(run.holder):
        _advance(run.pk, UNDER_WAY, state=FAILED, error_message=LOST, error_is_users=True, end_time=now())
        run.refresh_from_db()
    return run


def _is_gone(holder: str) -> bool:
    """Whether a holder surely ended. Of other hosts nothing is known; their runs end by expiring."""
    host, process_id, _ = holder.rsplit("/", 2)
    if holder == _holder() or host != _HOST[:200]:
        return False
    if int(process_id) == os.getpid():
        return True
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
