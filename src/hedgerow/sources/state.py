"""How a source table stands: the writes that `sync` needs, each one conditional statement of the caller's transaction.

`fence` guards them: raised at every start, cancel and reset of a run, so that only the newest start may write.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7
from hedgerow.files import objects
from hedgerow.sources import naming, shape, tree
from hedgerow.sources.models import Source, SourceTable
from hedgerow.warehouse.models import Table

RUNNING = "Running"
_WITHOUT_DATA: dict[str, Any] = {
    "table": None,
    "table_uuid": None,
    "last_synced_at": None,
    "status": None,
    "latest_error": None,
    "cursor_value": None,
    "reload_all": False,
}


def accept(source_table: SourceTable) -> None:
    """A run has been accepted: the status says so before it begins (§7.7)."""
    SourceTable.objects.filter(id=source_table.id).update(status=RUNNING)
    source_table.status = RUNNING


def begin(source_table: SourceTable) -> int:
    """A run starts: raise the fence and answer it. What the run writes to is fixed before its first byte."""
    if not source_table.table_name:
        _name_tables(source_table.source)
    SourceTable.objects.filter(id=source_table.id, table_uuid=None).update(table_uuid=uuid7())
    SourceTable.objects.filter(id=source_table.id).update(fence=F("fence") + 1)
    source_table.refresh_from_db()
    return source_table.fence


def _name_tables(source: Source) -> None:
    """Give every table of the source that has none its warehouse name, in order of creation (§5.3).

    Two starts at once wait for each other at the source's row, so no name is given twice.
    """
    Source.objects.select_for_update().get(id=source.id)
    nameless = list(source.source_tables.filter(table_name="").order_by("created_at", "id"))
    chosen = SourceTable.objects.filter(source__project_id=source.project_id, source__deleted_at=None)
    made = Table.objects.filter(project_id=source.project_id, deleted_at=None)
    taken = {*chosen.values_list("table_name", flat=True), *made.values_list("name", flat=True)}
    for each in nameless:
        each.table_name = naming.free_name(naming.table_name(source, each.name), taken)
        taken.add(each.table_name)
    SourceTable.objects.bulk_update(nameless, ["table_name"])


def overtake(source_table: SourceTable, fence: int, other: int) -> int | None:
    """Raise the fence above `other`, that of a commit which this database knows nothing of. Answers it.

    None: `fence` is not the newest start any more. A database restored from a backup is older than its tables.
    """
    mine = SourceTable.objects.filter(id=source_table.id, fence=fence, deleted_at=None)
    return other + 1 if mine.update(fence=other + 1) else None


def complete(source_table: SourceTable, fence: int, *, table: Table, synced_at: datetime, cursor: str | None) -> bool:
    """A run has succeeded. False: a newer start, or a deletion, has taken over, and nothing was changed."""
    changed = bool(
        SourceTable.objects.filter(id=source_table.id, fence=fence, deleted_at=None).update(
            status="Completed",
            latest_error=None,
            last_synced_at=synced_at,
            table=table,
            cursor_value=cursor,
            reload_all=False,
            unreachable_runs=0,
        )
    )
    if changed:
        older = Q(last_run_at=None) | Q(last_run_at__lt=synced_at)
        Source.objects.filter(older, id=source_table.source_id).update(last_run_at=synced_at)
    return changed


def changes_applied(
    source_table: SourceTable,
    run: str,
    seen: Mapping[str, Any],
    *,
    whole: bool,
    before: Mapping[str, str],
    after: Mapping[str, str],
) -> None:
    """The stored table now has the shape `seen` (as `discovery.seen`): complete the dated changes still open.

    They stay open when somebody has seen another shape since. See `shape.applied` for the rest.
    """
    current = SourceTable.objects.select_for_update(no_key=True).get(id=source_table.id)
    if all(change["run"] for change in current.changes) or any(getattr(current, k) != v for k, v in seen.items()):
        return
    changes = shape.applied(current.changes, run=run, whole=whole, before=before, after=after)
    SourceTable.objects.filter(id=source_table.id).update(changes=changes)


def fail(source_table: SourceTable, fence: int, message: str, *, switch_off: bool, unreachable: bool) -> bool:
    """A run has failed; `switch_off` stops the schedule until a person acts (§9.5). False as in `complete`."""
    mine = SourceTable.objects.filter(id=source_table.id, fence=fence, deleted_at=None)
    changed = bool(
        mine.update(
            status="Failed",
            latest_error=message,
            unreachable_runs=F("unreachable_runs") + 1 if unreachable else 0,
        )
    )
    if changed and switch_off:
        mine.filter(should_sync=True).update(should_sync=False, switched_off_by_engine=True)
    return changed


def cancel(source_table: SourceTable) -> None:
    """A run was cancelled by a person (§9.7): its start may not write any more."""
    SourceTable.objects.filter(id=source_table.id).update(status="Cancelled", latest_error=None, fence=F("fence") + 1)


def reload_all(source_table: SourceTable) -> None:
    """The next run reads everything afresh (§8.5 resync); what is there stays until it is complete."""
    SourceTable.objects.filter(id=source_table.id).update(reload_all=True, cursor_value=None)


def forget_data(source_table: SourceTable) -> None:
    """The table's data is gone (§8.5 delete_data): no table, no cursor, no status; the settings stay."""
    SourceTable.objects.filter(id=source_table.id).update(**_WITHOUT_DATA, fence=F("fence") + 1)


def retire_tables(ids: Iterable[uuid.UUID]) -> None:
    """Soft-delete source tables: invisible at once, their settings kept for a revival (§8.5, §9.6)."""
    SourceTable.objects.filter(id__in=list(ids)).update(
        **_WITHOUT_DATA, deleted_at=now(), should_sync=False, switched_off_by_engine=False, fence=F("fence") + 1
    )


def retire_source(source: Source) -> None:
    """Soft-delete a source, erase its stored settings, secrets included (§7.5), and take it out of the tree."""
    Source.objects.filter(id=source.id).update(deleted_at=now(), sealed_settings="")
    objects.remove(source.project, tree.TYPE, [str(source.id)])
