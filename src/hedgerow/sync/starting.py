"""Starting a run: stored, queued and shown as running in one transaction."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from hedgerow.core.clock import not_before, now
from hedgerow.sources import state
from hedgerow.sources.models import SourceTable
from hedgerow.sync import names
from hedgerow.sync.models import Run, RunStatus
from hedgerow.work import queue


def start_run(source_table: SourceTable, *, trigger: str) -> Run | None:
    """Accept a run of this table. None: one is running already, or the table is gone.

    `trigger` is schedule, request, first or resync.
    """
    with transaction.atomic():
        current = SourceTable.objects.select_for_update().filter(id=source_table.id, deleted_at=None).first()
        if current is None or Run.objects.filter(source_table=current, status=RunStatus.RUNNING).exists():
            return None
        try:
            with transaction.atomic():
                run = Run.objects.create(
                    source_table=current,
                    trigger=trigger,
                    sync_type=current.sync_type or "full_refresh",
                    created_at=_next_moment(),
                )
        except IntegrityError:  # somebody else's start won
            return None
        state.accept(source_table)
        queue.enqueue(
            kind=names.SYNC,
            subject=str(run.id),
            partition=str(current.source_id),
            limit=settings.CONFIG.source_runs,
        )
    return run


def _next_moment() -> datetime:
    """Now, but later than every run's: jobs are listed and paged by it, also after the clock was set back (§13)."""
    newest = Run.objects.order_by("-created_at").values_list("created_at", flat=True).first()
    return now() if newest is None else not_before(newest + timedelta(microseconds=1))
