"""A kind of object for tests of the tree: warehouse tables stand in for insights, which can be deleted and restored.

They are real rows with their own access rules, soft deletion and names that change. The rooms of insights and saved
queries will do the same with their own.
"""

from typing import Any

import pytest
from django.db.models import QuerySet

from hedgerow.accounts.models import Project, User
from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7
from hedgerow.files import folders, kinds, objects
from hedgerow.files.kinds import Kind, Thing, uuid_text
from hedgerow.warehouse.models import Table

TYPE = "insight"


def thing(note: Table) -> Thing:
    return Thing(
        TYPE,
        str(note.pk),
        ("Unfiled", "Insights"),
        note.name,
        f"/insights/{note.pk}",
        note.created_by_id,
        note.created_at,
    )


def make(project: Project, name: str, author: User | None, *, filed: bool = True) -> Table:
    """A new object, with its entry unless told otherwise, in one transaction."""
    with folders.changing(project):
        note = Table.objects.create(
            project=project, name=f"{name}", location=f"{project.pk}/{uuid7()}", created_by=author
        )
        if filed:
            objects.place(project, thing(note))
    return note


def rename(note: Table, name: str) -> None:
    """As the object's own route does it."""
    with folders.changing(note.project):
        before = thing(note)
        note.name = name
        note.save()
        objects.follow(note.project, before, thing(note))


def delete(note: Table) -> None:
    """As the object's own route does it."""
    with folders.changing(note.project):
        Table.objects.filter(pk=note.pk).update(deleted_at=now())
        objects.remove(note.project, TYPE, [str(note.pk)])


def restore(note: Table) -> bool:
    return bool(Table.objects.filter(pk=note.pk, deleted_at__isnull=False).update(deleted_at=None))


def _rows(project: Project, *, deleted: bool) -> QuerySet[Any]:
    return Table.objects.filter(project=project, deleted_at__isnull=not deleted).annotate(tree_ref=uuid_text("id"))


KIND = Kind(
    TYPE,
    live=lambda project: _rows(project, deleted=False),
    thing=thing,
    delete=delete,
    deleted=lambda project: _rows(project, deleted=True),
    restore=restore,
    undo="Send PATCH to the insight with deleted set to false, or POST to undo_delete.",
)


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Insights are a kind of object while the test runs."""
    monkeypatch.setitem(kinds._kinds, TYPE, KIND)
