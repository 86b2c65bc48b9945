"""A source as the project's tree shows it (file_system.md §13.1)."""

from collections.abc import Callable
from typing import Final

from django.db.models import QuerySet

from hedgerow.accounts.models import Project
from hedgerow.files.kinds import Kind, Thing, uuid_text
from hedgerow.sources.models import Source

TYPE: Final = "external_data_source"
FOLDER: Final = ("Unfiled", "Data sources")


def thing(source: Source) -> Thing:
    """Its place and name: the type, followed by the prefix in parentheses if there is one."""
    return Thing(
        type=TYPE,
        ref=str(source.pk),
        folder=FOLDER,
        name=f"{source.source_type} ({source.prefix})" if source.prefix else source.source_type,
        href=f"/data-warehouse/sources/{source.pk}",
        created_by_id=source.created_by_id,
        created_at=source.created_at,
    )


def kind(delete: Callable[[Source], None]) -> Kind:
    """What the tree has to know of sources. Deleting one erases its settings, so it cannot be restored."""
    return Kind(TYPE, live=_live, thing=thing, delete=delete)


def _live(project: Project) -> QuerySet[Source]:
    return Source.objects.filter(project=project, deleted_at=None).annotate(tree_ref=uuid_text("id"))
