"""What is wrong with sources, for `hedgerow doctor`. Reads only."""

from hedgerow.core.secrets import SealError
from hedgerow.sources import settings
from hedgerow.sources.models import Source, SourceTable


def sealed_by_another_key() -> list[str]:
    """Live sources whose stored settings this installation's secret key does not open."""
    return [_name(source) for source in Source.objects.filter(deleted_at=None).iterator() if not _opens(source)]


def switched_off() -> list[str]:
    """Tables that an error switched off, with that error."""
    tables = SourceTable.objects.filter(deleted_at=None, switched_off_by_engine=True, should_sync=False)
    return [f"{_name(t.source)}, {t.name}: {t.latest_error}" for t in tables.select_related("source").order_by("name")]


def _opens(source: Source) -> bool:
    try:
        settings.opened(source)
    except SealError:
        return False
    return True


def _name(source: Source) -> str:
    prefix = f" {source.prefix}" if source.prefix else ""
    return f"{source.source_type}{prefix} (project {source.project_id}, {source.id})"
