"""The queue's way in: how a run is started, settled and found to be due; how dropped data is erased."""

import logging

from django.db import transaction

from hedgerow.sources import state
from hedgerow.sources.models import SourceTable
from hedgerow.sync import child, endings, names, policy
from hedgerow.sync.models import Run, RunStatus
from hedgerow.sync.progress import Superseded
from hedgerow.sync.starting import start_run
from hedgerow.work import kinds
from hedgerow.work.models import Task

log = logging.getLogger(__name__)

STARTS = 50
"""A run that was started so often has taken its worker with it each time."""
UNTOLD_DELAY = 5.0
"""Seconds until a run is taken up again that could not tell the database how it ended."""


def register() -> None:
    """Make this room's kinds of task known to the queue."""
    kinds.register(kinds.Kind(names.SYNC, target=child.sync, start=_start, settle=_settle, due=_due))
    kinds.register(kinds.Kind(names.ERASE, target=child.erase, start=_start_erasing, settle=_settle_erasing))


def _start(task: Task) -> kinds.Arguments | None:
    """A new start of a run: raise the fence. None: the run has ended meanwhile."""
    with transaction.atomic():
        run = _running(task)
        if run is None:
            return None
        run.fence, run.attempts = state.begin(run.source_table), run.attempts + 1
        Run.objects.filter(id=run.id).update(fence=run.fence, attempts=run.attempts, stage="discovering", next_delay=0)
        if run.attempts > STARTS:
            _fail(run, policy.Fail(policy.UNEXPECTED))
            return None
    return str(run.id), run.fence


def _settle(task: Task, exit_code: int) -> float | None:
    """After the process has ended: a run that is still Running waits to try again, or died without a word."""
    run = _running(task)
    if run is None:
        return None
    if exit_code == names.RETRY and run.stage == "waiting":
        return run.next_delay
    if exit_code == names.UNTOLD:
        Run.objects.filter(id=run.id).update(stage="waiting")
        return UNTOLD_DELAY
    log.warning("The process of run %s ended with %s", run.id, exit_code)
    decision = policy.after_crash(run.crashes + 1)
    if isinstance(decision, policy.Retry):
        Run.objects.filter(id=run.id).update(crashes=run.crashes + 1, stage="waiting")
        return decision.delay
    _fail(run, decision)
    return None


def _running(task: Task) -> Run | None:
    runs = Run.objects.select_related("source_table__source")
    return runs.filter(id=task.subject, status=RunStatus.RUNNING).first()


def _fail(run: Run, decision: policy.Fail) -> None:
    try:
        endings.fail(run, decision)
    except Superseded:
        log.info("Run %s had ended already", run.id)


def _due(subject: str) -> None:
    """A table's time has come. One that is still running is skipped, not queued (§9.2)."""
    source_table = SourceTable.objects.filter(id=subject, deleted_at=None, should_sync=True).first()
    if source_table is not None:
        start_run(source_table, trigger="schedule")


def _start_erasing(task: Task) -> kinds.Arguments | None:
    return (task.facts["location"],)


def _settle_erasing(_task: Task, exit_code: int) -> float | None:
    return None if exit_code == 0 else 60.0
