"""What becomes of the values of a source table's columns (type_mapping.md rule 10)."""

from collections import Counter
from typing import Any

from hedgerow.lake import naming
from hedgerow.sources.models import SourceTable
from hedgerow.sync.models import Run, RunStatus


def types(source_table: SourceTable) -> list[dict[str, Any]]:
    """One entry per column that discovery last saw, in the shape of the API's answer."""
    names = naming.column_names(column["name"] for column in source_table.columns)
    table = source_table.table
    stored = {column["name"].lower(): column for column in table.columns} if table else {}
    losses = _losses(source_table) if table else None
    return [
        {
            "name": column["name"],
            "source_type": column["declared"],
            "stored_as": names[column["name"]],
            "stored_type": _stored_type(stored.get(names[column["name"]].lower(), column)),
            "lossless": column["may_lose"] is None,
            "note": column["may_lose"],
            "nulled": None if losses is None else losses[column["name"]],
        }
        for column in source_table.columns
    ]


def _stored_type(column: dict[str, Any]) -> str:
    return str(column.get("stored", column["type"])).lower()


def _losses(source_table: SourceTable) -> Counter[str]:
    """Values lost by source column, in the last completed run that read all rows and in those after it."""
    runs = Run.objects.filter(source_table=source_table, status=RunStatus.COMPLETED)
    whole = runs.filter(cursor_from=None).order_by("-created_at", "-id").first()
    since = runs.filter(created_at__gte=whole.created_at) if whole else runs
    found: Counter[str] = Counter()
    for losses in since.exclude(losses={}).values_list("losses", flat=True):
        found.update({column: loss["count"] for column, loss in losses.items()})
    return found
