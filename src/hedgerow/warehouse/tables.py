"""The tables of a project: register, drop, and which of them a person may see."""

from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from hedgerow.accounts import access
from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Project, User
from hedgerow.core.clock import now
from hedgerow.core.errors import BadRequestError, ConflictError
from hedgerow.warehouse.models import Table

RESOURCE: Final = "warehouse_table"
SOURCE: Final = "external_data_source"


def register(
    *,
    project: Project,
    name: str,
    location: str,
    columns: list[dict[str, str]],
    row_count: int,
    version: int,
    owner_kind: str = "",
    owner_id: str = "",
    created_by: User | None = None,
    table_id: UUID,
) -> Table:
    """Make a table known under `table_id`, or bring a known one up to date, as its data now are.

    Raises ConflictError when another live table of the project has the name.
    """
    with transaction.atomic():
        if Table.objects.filter(project=project, name=name, deleted_at=None).exclude(id=table_id).exists():
            raise ConflictError(f"A table named {name} already exists.")
        table, _ = Table.objects.update_or_create(
            id=table_id,
            defaults={
                "name": name,
                "location": location,
                "columns": columns,
                "row_count": row_count,
                "version": version,
                "deleted_at": None,
            },
            create_defaults={
                "project": project,
                "name": name,
                "location": location,
                "columns": columns,
                "row_count": row_count,
                "version": version,
                "owner_kind": owner_kind,
                "owner_id": owner_id,
                "created_by": created_by,
            },
        )
    return table


def drop(table: Table) -> None:
    """Hide the table from everyone; its name is free again. Erasing its data is the caller's business."""
    Table.objects.filter(id=table.id, deleted_at=None).update(deleted_at=now(), updated_at=now())


def visible(actor: Actor) -> QuerySet[Table]:
    """The live tables of the actor's project that the actor may view: by rules on the table, then on its source."""
    live = Table.objects.filter(project=actor.project, deleted_at=None)
    return access.narrow(actor, RESOURCE, live, parent=(SOURCE, "owner_id"))


def delete(table: Table) -> None:
    """Delete a table that no source owns (§12.2). Raises BadRequestError for one that belongs to a source."""
    if table.owner_kind == SOURCE:
        raise BadRequestError("Can't delete a sourced table")
    drop(table)
