"""Looking at trees, for tests: what is there, and whether everything holds that must hold of any tree."""

from collections import Counter
from collections.abc import Iterable

from django.db import connection

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Membership, Project, User
from hedgerow.files import derived, paths, services
from hedgerow.files.models import FOLDER, Entry


def actor_of(user: User, project: Project) -> Actor:
    """The person in the project, signed in."""
    return Actor(user, None, project, Membership.objects.get(user=user, organization=project.organization))


def fill(actor: Actor, *entries: str) -> None:
    """Entries such as `a/b` (a document) and `a/b/` (a folder)."""
    for each in entries:
        services.create(actor, {"path": each, "type": FOLDER if each.endswith("/") else "doc"})


def drawn(project: Project, *, but: Iterable[str] = ()) -> list[str]:
    """The whole tree as `fill` takes it; links have a `*` at the end. Paths under `but` are left out."""
    rows = Entry.objects.filter(project=project).values_list("path", "type", "shortcut")
    return sorted(
        f"{path}{'/' if type == FOLDER else ''}{'*' if linked else ''}"
        for path, type, linked in rows
        if not any(path == each or paths.is_below(path, each) for each in but)
    )


def check(project: Project) -> None:
    """Every invariant of file_system.md §3.5 and of what is stored for search."""
    rows = list(Entry.objects.filter(project=project))
    folders = Counter(row.path for row in rows if row.type == FOLDER)
    assert [path for path, count in folders.items() if count > 1] == []
    for row in rows:
        assert row.path == paths.spelled(row.path)
        missing = [path for path in paths.ancestors(row.path) if path not in folders]
        assert not missing, f"{row.path} lies in {missing}, which are no folders"
        expected = derived.columns(row.path, row.type)
        assert {name: getattr(row, name) for name in expected} == expected
    _check_index(project, {row.pk for row in rows})


def _check_index(project: Project, expected: set[int]) -> None:
    """SQLite's index of trigrams knows exactly the rows of the project. Every type in tests has one of these three."""
    if connection.vendor != "sqlite":
        return
    first = project.pk << 40
    query = "SELECT rowid FROM files_search WHERE files_search MATCH %s AND rowid BETWEEN %s AND %s"
    with connection.cursor() as cursor:
        cursor.execute(query, ['"doc" OR "fol" OR "ins" OR "dat"', first, first + (1 << 40) - 1])
        assert {row[0] - first for row in cursor.fetchall()} == expected
