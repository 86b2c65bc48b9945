"""What is in the source now against what is known of it: appeared, vanished, came back (§9.6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from hedgerow.connectors.contract import SourceTable as Offered
from hedgerow.core.clock import now
from hedgerow.core.errors import NotFoundError
from hedgerow.sources import shape
from hedgerow.sources.models import Source, SourceTable

_STATE: Final = ("should_sync", "status", "latest_error", "switched_off_by_engine", "deleted_at", "updated_at")
_SEEN: Final = ("description", "columns", "detected_key", "identity")


@dataclass(frozen=True)
class Discovered:
    """`added` counts new and revived tables, `total` those in the source now (§7.12)."""

    added: int
    deleted: int
    total: int


@dataclass
class Difference:
    """What to do so that the known tables match the offered ones."""

    new: list[Offered] = field(default_factory=list)
    returned: list[tuple[SourceTable, Offered]] = field(default_factory=list)
    refreshed: list[tuple[SourceTable, Offered]] = field(default_factory=list)
    gone: list[SourceTable] = field(default_factory=list)
    gone_with_data: list[SourceTable] = field(default_factory=list)
    unnoted: list[SourceTable] = field(default_factory=list)
    """Gone, with data, and their dated changes do not say so yet."""

    def __bool__(self) -> bool:
        return any((self.new, self.returned, self.refreshed, self.gone, self.gone_with_data, self.unnoted))


def compare(offered: Iterable[Offered], known: Sequence[SourceTable]) -> Difference:
    """`known` are all tables of the source, deleted ones too. Pure.

    A table that is running is left alone when it has vanished: its own run finds out and says so.
    """
    difference = Difference()
    by_name = {t.name: t for t in known}
    names = set()
    for table in offered:
        names.add(table.name)
        existing = by_name.get(table.name)
        if existing is None:
            difference.new.append(table)
        elif existing.deleted_at is not None:
            difference.returned.append((existing, table))
        elif any(getattr(existing, name) != value for name, value in seen(table).items()):
            difference.refreshed.append((existing, table))
    for each in known:
        if each.name not in names and each.deleted_at is None:
            _vanished(each, difference)
    return difference


def _vanished(each: SourceTable, difference: Difference) -> None:
    if each.table_id is not None and not shape.is_gone(each.changes):
        difference.unnoted.append(each)
    if each.status == "Running":
        return
    if each.table_id is None:
        difference.gone.append(each)
    elif not each.switched_off_by_engine and (each.should_sync or each.status != "Completed"):
        difference.gone_with_data.append(each)


def seen(table: Offered) -> dict[str, Any]:
    """What a source table keeps of the source's own description."""
    columns = [
        {
            "name": c.name,
            "declared": c.declared,
            "type": c.type,
            "nullable": c.nullable,
            "cursor_type": c.cursor_type,
            "may_lose": c.may_lose,
        }
        for c in table.columns
    ]
    return {
        "description": table.description,
        "columns": columns,
        "detected_key": list(table.key),
        "identity": table.identity,
    }


def apply(source: Source, offered: Sequence[Offered]) -> Discovered:
    """Store the difference, in a few statements however many tables there are.

    Raises NotFoundError when the source has been deleted meanwhile.
    """
    offered = list({table.name: table for table in offered}.values())
    if not compare(offered, list(source.source_tables.all())):
        return Discovered(0, 0, len(offered))
    with transaction.atomic():
        # Of two discoveries at once the second one waits here and then sees what the first one stored.
        if not Source.objects.select_for_update(no_key=True).filter(id=source.id, deleted_at=None).exists():
            raise NotFoundError
        known = source.source_tables.select_for_update(no_key=True).order_by("id")
        difference = compare(offered, list(known))
        _store(source, difference)
    return Discovered(len(difference.new) + len(difference.returned), len(difference.gone), len(offered))


def _store(source: Source, difference: Difference) -> None:
    moment = now()
    SourceTable.objects.bulk_create([SourceTable(source=source, name=t.name, **seen(t)) for t in difference.new])
    for existing, table in (*difference.returned, *difference.refreshed):
        if existing.deleted_at is None and (existing.table_id or existing.sync_type):
            existing.changes = _with_changes(existing, table, moment)
        for name, value in seen(table).items():
            setattr(existing, name, value)
    for existing, _ in difference.returned:
        _switch_off(existing, status=None)
        existing.deleted_at, existing.latest_error, existing.switched_off_by_engine = None, None, False
    for each in difference.gone:
        _switch_off(each, status=None)
        each.deleted_at = moment
    for each in difference.gone_with_data:
        _switch_off(each, status="Completed")
    for each in difference.unnoted:
        each.changes = shape.dated([shape.gone()], moment, each.changes)
    described = [existing for existing, _ in (*difference.returned, *difference.refreshed)]
    moved = [*(existing for existing, _ in difference.returned), *difference.gone, *difference.gone_with_data]
    for each in (*described, *moved):
        each.updated_at = moment
    SourceTable.objects.bulk_update(described, [*_SEEN, "changes", "updated_at"])
    SourceTable.objects.bulk_update(moved, _STATE)
    SourceTable.objects.bulk_update(difference.unnoted, ["changes"])


def _with_changes(existing: SourceTable, table: Offered, moment: datetime) -> list[dict[str, Any]]:
    """The dated changes of a table, with what is different now.

    Only of a table that has data or was chosen: nobody reads a table that was never wanted, and there may be thousands.
    Stored together with the new shape, so that a difference is noted once, whoever sees it first.
    """
    now_seen = seen(table)
    before = shape.Shape(existing.columns, existing.detected_key, existing.identity)
    after = shape.Shape(now_seen["columns"], now_seen["detected_key"], now_seen["identity"])
    return shape.dated(shape.differences(before, after), moment, existing.changes)


def _switch_off(each: SourceTable, *, status: str | None) -> None:
    each.should_sync, each.status = False, status
