"""What a source shows, derived from its tables (external_data_sources.md §9.8). Pure."""

from collections.abc import Sequence
from typing import Protocol


class Shown(Protocol):
    """What of a source table counts here."""

    name: str
    should_sync: bool
    switched_off_by_engine: bool
    status: str | None
    latest_error: str | None


def of_source(tables: Sequence[Shown]) -> str:
    """The source's status; `tables` are its live ones."""
    enabled = [t for t in tables if _counts_as_enabled(t)]
    if any(t.status == "Failed" for t in enabled):
        return "Failed"
    seen = {t.status for t in tables if _counts_as_enabled(t) or t.latest_error}
    for status in ("Paused", "Running", "Completed", "Cancelled"):
        if status in seen:
            return status
    return "Running" if enabled else "Paused"


def latest_error(tables: Sequence[Shown]) -> str | None:
    """The error of the first table by name that has one, enabled tables before disabled ones."""
    failing = sorted((not _counts_as_enabled(t), t.name, t.latest_error) for t in tables if t.latest_error)
    return failing[0][2] if failing else None


def _counts_as_enabled(table: Shown) -> bool:
    """Enabled, or given up by the engine and not touched by the user since: that keeps a source red."""
    return table.should_sync or table.switched_off_by_engine
