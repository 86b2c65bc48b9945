"""How a run ends in the database: completed, failed or cancelled, its table with it, in one transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F

from hedgerow.core.clock import not_before, now
from hedgerow.lake import naming
from hedgerow.sources import state
from hedgerow.sources.models import SourceTable
from hedgerow.sync import names, policy
from hedgerow.sync.erasing import location_of
from hedgerow.sync.models import Run, RunStatus
from hedgerow.sync.plan import Mark
from hedgerow.sync.progress import Superseded, write
from hedgerow.warehouse import tables
from hedgerow.work import beat, queue


@dataclass(frozen=True)
class Committed:
    """What this start has read and written: the table as discovery had `seen` it, the `whole` of it or what was new."""

    seen: dict[str, Any]
    whole: bool


@dataclass(frozen=True)
class Outcome:
    """What the commit left. `mark`: how far the table has come now.

    `committed` is None when there was nothing to write, or when an earlier start of the run had written it.
    """

    rows: int
    version: int
    row_count: int
    columns: list[dict[str, str]]
    mark: Mark | None
    committed: Committed | None = None


def complete(run: Run, outcome: Outcome) -> None:
    """The data is committed: make it visible and end the run (§9.3). Raises Superseded."""
    source_table = run.source_table
    cursor = outcome.mark.value if outcome.mark else None
    if source_table.table_uuid is None:
        raise Superseded
    with transaction.atomic():
        before = source_table.table.columns if source_table.table else []
        write(
            run,
            status=RunStatus.COMPLETED,
            stage="done",
            rows_synced=outcome.rows,
            latest_error=None,
            cursor_to=cursor,
            finished_at=not_before(run.created_at),
        )
        table = tables.register(
            project=source_table.source.project,
            name=source_table.table_name,
            location=location_of(source_table),
            columns=outcome.columns,
            row_count=outcome.row_count,
            version=outcome.version,
            owner_kind=names.SOURCE,
            owner_id=str(source_table.source_id),
            created_by=source_table.source.created_by,
            table_id=source_table.table_uuid,
        )
        if not state.complete(source_table, run.fence, table=table, synced_at=run.created_at, cursor=cursor):
            raise Superseded
        if outcome.committed:
            _tell_changes(run, outcome.committed, before, outcome.columns)


def _tell_changes(run: Run, committed: Committed, before: list[dict[str, str]], after: list[dict[str, str]]) -> None:
    """Complete the dated changes that this run brought into the stored table."""
    sources = {
        stored: name for name, stored in naming.column_names(c["name"] for c in committed.seen["columns"]).items()
    }
    was, now = (
        {sources.get(c["name"], c["name"]): c["stored"] for c in columns if "stored" in c}
        for columns in (before, after)
    )
    state.changes_applied(run.source_table, str(run.id), committed.seen, whole=committed.whole, before=was, after=now)


def fail(run: Run, decision: policy.Fail) -> None:
    """End a run as failed, and its table with it (§9.5). Raises Superseded."""
    table = run.source_table
    with transaction.atomic():
        write(
            run,
            status=RunStatus.FAILED,
            stage="done",
            latest_error=decision.message,
            finished_at=not_before(run.created_at),
        )
        state.fail(table, run.fence, decision.message, switch_off=decision.switch_off, unreachable=decision.unreachable)
        if decision.switch_off:
            beat.pause(names.SYNC, str(table.id))


def cancel(source_tables: Iterable[SourceTable]) -> int:
    """End the running runs of these tables as cancelled (§9.7), in the caller's transaction. Answers how many.

    Their processes are killed as soon as the transaction is in; until then the raised fence keeps them from writing.
    """
    runs = list(Run.objects.filter(source_table__in=source_tables, status=RunStatus.RUNNING))
    for run in runs:
        Run.objects.filter(id=run.id, status=RunStatus.RUNNING).update(
            status=RunStatus.CANCELLED,
            stage="done",
            latest_error=None,
            finished_at=max(now(), run.created_at),
            fence=F("fence") + 1,
        )
        state.cancel(run.source_table)
    queue.withdraw(names.SYNC, [str(run.id) for run in runs])
    return len(runs)
