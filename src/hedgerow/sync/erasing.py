"""Where a table's data lies, and erasing it for good: a task, so that a crash cannot forget it."""

from datetime import timedelta

from hedgerow.core.clock import now
from hedgerow.lake import paths
from hedgerow.sources.models import SourceTable
from hedgerow.sync import names
from hedgerow.work import queue

GRACE = timedelta(seconds=5)
"""Enough for the last writer to be killed, and for a query that has just begun to open its files."""


def location_of(source_table: SourceTable) -> str:
    """Where the table's data lies, relative to the storage. Raises ValueError before its first run."""
    if source_table.table_uuid is None:
        raise ValueError(f"{source_table.name} has no data")
    return paths.location(source_table.source.project_id, source_table.table_name, source_table.table_uuid)


def erase_soon(source_table: SourceTable) -> None:
    """Erase the table's data shortly after the caller's transaction is in. Nothing to do before its first run."""
    if source_table.table_uuid is not None:
        queue.enqueue(
            kind=names.ERASE,
            subject=str(source_table.table_uuid),
            not_before=now() + GRACE,
            facts={"location": location_of(source_table)},
        )
