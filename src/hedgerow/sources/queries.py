"""Reads that doors need. Each answers live objects only, with all that answers show of them already loaded."""

import re
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from hedgerow.accounts.models import Project
from hedgerow.sources.models import Source, SourceTable


def live_sources(project: Project) -> QuerySet[Source]:
    """Sources of the project, newest first, with their live tables by name in `live_tables`."""
    tables = SourceTable.objects.filter(deleted_at=None).select_related("table").order_by("name", "id")
    return (
        Source.objects.filter(project=project, deleted_at=None)
        .select_related("created_by")
        .prefetch_related(Prefetch("source_tables", tables, to_attr="live_tables"))
        .order_by("-created_at", "-id")
    )


def tables_of(source: Source) -> list[SourceTable]:
    """The live tables of a source that `live_sources` has loaded."""
    loaded: list[SourceTable] = source.live_tables  # type: ignore[attr-defined] # the prefetch above sets it
    return loaded


def live_tables(project: Project, source_id: UUID | None = None) -> QuerySet[SourceTable]:
    """Tables of live sources of the project (or of one of them), newest first."""
    tables = SourceTable.objects.filter(source__project=project, source__deleted_at=None, deleted_at=None)
    if source_id is not None:
        tables = tables.filter(source_id=source_id)
    return tables.select_related("table", "source").order_by("-created_at", "-id")


def search_sources(sources: QuerySet[Source], terms: str) -> QuerySet[Source]:
    """Those whose id, type, prefix or description matches every term (§7.1)."""
    for term in _terms(terms):
        pattern = re.escape(term)
        found = Q(source_type__iregex=pattern) | Q(prefix__iregex=pattern) | Q(description__iregex=pattern)
        if term.strip("-"):  # hyphens are left out of the comparison with ids
            found |= Q(id__icontains=term)
        sources = sources.filter(found)
    return sources


def search_tables(tables: QuerySet[SourceTable], terms: str) -> QuerySet[SourceTable]:
    """Those whose name matches every term (§8.1)."""
    for term in _terms(terms):
        tables = tables.filter(name__iregex=re.escape(term))
    return tables


def _terms(text: str) -> list[str]:
    """Terms are split at blanks. `iregex` and not `icontains`: SQLite's LIKE knows only ASCII letters' other case."""
    return text.split()[:20]
