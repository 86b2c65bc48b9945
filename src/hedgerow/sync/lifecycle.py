"""The verbs that span rooms: connect, disconnect, reload, resync, cancel, configure, delete data (§7, §8.4, §8.5).

Each stores what it does in one transaction; runs begin when that is in.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from hedgerow.accounts.models import Project, User
from hedgerow.core.clock import now
from hedgerow.core.errors import BadRequestError
from hedgerow.files import folders
from hedgerow.sources import services, state
from hedgerow.sources.models import Source, SourceTable
from hedgerow.sync import endings, names, schedule
from hedgerow.sync.erasing import erase_soon
from hedgerow.sync.models import Run
from hedgerow.sync.starting import start_run
from hedgerow.warehouse import tables
from hedgerow.work import beat

NOT_SET_UP = "Sync type must be set up first before enabling schema"
NEWEST_JOBS = 50


def connect(*, project: Project, user: User | None, data: dict[str, Any]) -> Source:
    """Create a source (§7.2): every enabled table gets a schedule and a first run. Raises BadRequestError."""
    draft = services.check_new(project=project, data=data)
    with transaction.atomic():
        source = services.store_new(project=project, user=user, draft=draft)
        for source_table in source.source_tables.filter(should_sync=True).order_by("name"):
            _schedule(source_table)
            start_run(source_table, trigger="first")
    return source


def disconnect(source: Source) -> None:
    """Delete a source (§7.5): it and its tables become invisible, runs stop, schedules and data go."""
    with folders.changing(source.project):
        _remove(list(source.source_tables.filter(deleted_at=None).select_related("table", "source")))
        state.retire_source(source)


def remove_table(source_table: SourceTable) -> None:
    """Delete one table of a source (§8.5 DELETE)."""
    with transaction.atomic():
        _remove([source_table])


def _remove(source_tables: Sequence[SourceTable]) -> None:
    endings.cancel(source_tables)
    beat.unschedule(names.SYNC, [str(t.id) for t in source_tables])
    for each in source_tables:
        _drop_data(each)
    state.retire_tables(t.id for t in source_tables)


def _drop_data(source_table: SourceTable) -> None:
    source_table.refresh_from_db()
    if source_table.table is not None:
        tables.drop(source_table.table)
    erase_soon(source_table)


def reload_source(source: Source) -> int:
    """Run every enabled table now (§7.7). Answers how many runs were accepted."""
    enabled = source.source_tables.filter(deleted_at=None, should_sync=True).order_by("name")
    return sum(start_run(t, trigger="request") is not None for t in enabled)


def reload_table(source_table: SourceTable) -> None:
    """Run one table now; nothing happens when it is running (§8.5). Raises BadRequestError without sync type."""
    if source_table.sync_type is None:
        raise BadRequestError(NOT_SET_UP)
    start_run(source_table, trigger="request")


def resync(source_table: SourceTable) -> None:
    """Load everything afresh now; what is there stays until the new load is complete (§8.5)."""
    if source_table.sync_type is None:
        raise BadRequestError(NOT_SET_UP)
    with transaction.atomic():
        endings.cancel([source_table])
        state.reload_all(source_table)
        start_run(source_table, trigger="resync")


def cancel(source_table: SourceTable) -> None:
    """Stop the running run (§8.5). Raises BadRequestError when there is none."""
    with transaction.atomic():
        if not endings.cancel([source_table]):
            raise BadRequestError("No running sync to cancel.")


def delete_data(source_table: SourceTable) -> None:
    """Drop the warehouse table and its data; the settings stay, the next run loads everything (§8.5)."""
    with transaction.atomic():
        endings.cancel([source_table])
        _drop_data(source_table)
        state.forget_data(source_table)


def configure_table(source_table: SourceTable, changes: dict[str, Any]) -> SourceTable:
    """Change a table's settings (§8.2, §8.3) with all effects (§8.4). Raises BadRequestError, nothing changed."""
    with transaction.atomic():
        before = SourceTable.objects.select_for_update().get(id=source_table.id)
        changed = services.configure(source_table, changes)
        source_table.refresh_from_db()
        if changed & {"should_sync", "frequency", "time_of_day"}:
            _reschedule(source_table, switched_on=not before.should_sync and source_table.should_sync)
        if changed & {"sync_type", "cursor_field"}:
            _after_other_reading(source_table, before)
    source_table.refresh_from_db()
    return source_table


def _reschedule(source_table: SourceTable, *, switched_on: bool) -> None:
    subject = str(source_table.id)
    if not source_table.should_sync:
        beat.pause(names.SYNC, subject)
        return
    had_one = beat.known(names.SYNC, subject) or source_table.last_synced_at is not None
    _schedule(source_table)
    if switched_on and (not had_one or _overdue(source_table)):
        start_run(source_table, trigger="request" if had_one else "first")


def _schedule(source_table: SourceTable) -> None:
    subject = str(source_table.id)
    if source_table.frequency == schedule.NEVER:
        beat.unschedule(names.SYNC, [subject])
        return
    beat.schedule(
        kind=names.SYNC,
        subject=subject,
        every_seconds=schedule.SECONDS[source_table.frequency],
        offset_seconds=schedule.offset_seconds(source_table.frequency, source_table.time_of_day, source_table.id),
    )


def _overdue(source_table: SourceTable) -> bool:
    """Whether the last success is older than the frequency (§8.4), or of a time that a wrong clock told."""
    if source_table.frequency == schedule.NEVER:
        return False
    last, moment = source_table.last_synced_at, now()
    pace = timedelta(seconds=schedule.SECONDS[source_table.frequency])
    return last is None or not moment - pace <= last <= moment


def _after_other_reading(source_table: SourceTable, before: SourceTable) -> None:
    """Another sync type or cursor (§8.4). The next run itself asks the table how far the new cursor has come."""
    if source_table.table is None:
        return
    if (before.sync_type, source_table.sync_type) == ("append", "incremental"):
        state.reload_all(source_table)
    elif source_table.sync_type in ("incremental", "append"):
        stored = {column["name"] for column in source_table.table.columns}
        if source_table.cursor_field not in stored:
            state.reload_all(source_table)
            start_run(source_table, trigger="resync")


def jobs(
    source: Source, *, after: datetime | None = None, before: datetime | None = None, names: Sequence[str] = ()
) -> list[Run]:
    """The newest runs of a source's live tables, newest first, at most 50, strictly within the times (§7.6)."""
    runs = Run.objects.filter(source_table__source=source).select_related("source_table")
    if after is not None:
        runs = runs.filter(created_at__gt=after)
    if before is not None:
        runs = runs.filter(created_at__lt=before)
    if names:
        runs = runs.filter(source_table__name__in=names)
    return list(runs.order_by("-created_at", "-id")[:NEWEST_JOBS])
