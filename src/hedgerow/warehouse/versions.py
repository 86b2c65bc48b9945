"""The versions of a table, as far as they can still be read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings

from hedgerow.lake.answer import Version
from hedgerow.warehouse import engine
from hedgerow.warehouse.models import Table


@dataclass(frozen=True)
class TableVersion:
    """One version that can be read.

    `run_id` is the run that wrote it; None for upkeep, which changes files but no rows. It stays until `expires_at`,
    and for ever (None) while it is the newest.
    """

    number: int
    created_at: datetime
    expires_at: datetime | None
    run_id: str | None
    row_count: int
    size_bytes: int


def readable(table: Table) -> list[TableVersion]:
    """The versions of a table that SQL can read, newest first. Raises RateLimitedError when too much runs already."""
    return [_of(version) for version in engine.versions(table.project_id, table.location)]


def kept_until(replaced_ms: int | None) -> datetime | None:
    """Until when a version is kept that was replaced then (ms since 1970); None for the newest."""
    return None if replaced_ms is None else _moment(replaced_ms) + timedelta(hours=settings.CONFIG.keep_hours)


def _of(version: Version) -> TableVersion:
    return TableVersion(
        number=version.number,
        created_at=_moment(version.created_ms),
        expires_at=kept_until(version.replaced_ms),
        run_id=version.run,
        row_count=version.row_count,
        size_bytes=version.size_bytes,
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
