"""One writer of a project's tree at a time, and the folders that every path needs (§3.5, §18)."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from django.db import connection, transaction
from django.db.models import QuerySet

from hedgerow.accounts.models import Project, User
from hedgerow.files import derived, paths, text
from hedgerow.files.models import FOLDER, Entry

_BATCH: Final = 500
_LOCK: Final = 0x66696C65 << 32  # "file", then the project's id: the advisory locks of PostgreSQL
_Item = TypeVar("_Item")


@contextmanager
def changing(project: Project) -> Iterator[None]:
    """One transaction in which nobody else changes this project's tree; may be nested.

    A room that changes an object and its entry enters this before it touches the object, or two such changes could
    wait for each other.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":  # SQLite's immediate transactions are one at a time anyway
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK + project.pk])
        yield


def folder_at(project: Project, path: str) -> Entry | None:
    """The folder with this path."""
    return folders(project).filter(text.at("path", path)).first()


def folders(project: Project) -> QuerySet[Entry]:
    """All folders of the project."""
    return Entry.objects.filter(project=project, type=FOLDER)


def make_parents(project: Project, of: Iterable[str], by: User | None) -> None:
    """Make every folder that is missing on the way to these paths."""
    wanted = {folder for path in of for folder in paths.ancestors(path)}
    missing = sorted(wanted - existing(project, wanted))
    add([Entry(project=project, created_by=by, **derived.columns(path, FOLDER)) for path in missing])


def existing(project: Project, among: Iterable[str]) -> set[str]:
    """Those of these paths at which there is a folder."""
    found: set[str] = set()
    for some in batches(sorted(among)):
        found |= set(folders(project).filter(text.among("path", some)).values_list("path", flat=True))
    return found


def add(entries: list[Entry]) -> None:
    """Store new entries, in as few statements as the database takes."""
    if entries:
        Entry.objects.bulk_create(entries)


def batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """The items in pieces that one statement takes."""
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
