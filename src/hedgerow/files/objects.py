"""For the rooms whose objects appear in the tree: place, follow, remove, each in the object's own transaction (§13.2).

Enter `folders.changing` before touching the object. What is missing all the same, `file_unfiled` makes up for (§13.3).
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Project, User
from hedgerow.files import derived, favourites, folders, kinds, paths, views, visible
from hedgerow.files.kinds import Kind, Thing
from hedgerow.files.models import Entry


def place(project: Project, thing: Thing, path: str | None = None) -> None:
    """The original entry of a new or restored object: at `path`, else in the default folder under its name."""
    with folders.changing(project):
        if not _originals(project, thing.type, [thing.ref]).exists():
            _place_all(project, [(thing, path or paths.place(thing.folder, thing.name))])


def follow(project: Project, before: Thing, after: Thing) -> None:
    """An object changed: its entries' href and meta follow, and after a renaming their last parts.

    Folders stay as users chose them, and so do names that users gave to links.
    """
    if before == after:
        return
    with folders.changing(project):
        for entry in Entry.objects.filter(project=project, type=after.type, ref=after.ref):
            old_name = paths.split(paths.renamed(entry.path, before.name))[-1]
            if before.name != after.name and (not entry.shortcut or paths.split(entry.path)[-1] == old_name):
                new = derived.columns(paths.renamed(entry.path, after.name), entry.type)
                for name, value in new.items():
                    setattr(entry, name, value)
            entry.href, entry.meta = after.href, {**entry.meta, **_meta(after)}
            entry.save()
        favourites.rename_object(project, after.type, after.ref, after.name, after.href)


def remove(project: Project, type: str, refs: Sequence[str]) -> None:
    """Objects are gone: their entries and links, and everybody's shortcuts and views."""
    with folders.changing(project):
        for some in folders.batches(refs):
            Entry.objects.filter(project=project, type=type, ref__in=some).delete()
            favourites.forget_objects(project, type, some)
            views.forget_things(project, type, some)


def file_unfiled(actor: Actor, type: str = "") -> int:
    """Make the missing original entries of live objects; how many of them the caller sees."""
    project = visible.project_of(actor)
    chosen = [kind for kind in kinds.every() if type in ("", kind.type)]
    made: list[Entry] = []
    for kind in chosen:
        if _unfiled(project, kind).exists():
            with folders.changing(project):
                things = [kind.thing(each) for each in _unfiled(project, kind)]
                made += _place_all(project, [(each, paths.place(each.folder, each.name)) for each in things])
    seen = visible.entries(actor)
    return sum(seen.filter(uuid__in=some).count() for some in folders.batches([entry.uuid for entry in made]))


def _unfiled(project: Project, kind: Kind) -> QuerySet[Any]:
    filed = Entry.objects.filter(project=project, type=kind.type, ref=OuterRef("tree_ref"), shortcut=False)
    return kind.live(project).filter(~Exists(filed))


def _originals(project: Project, type: str, refs: Sequence[str]) -> QuerySet[Entry]:
    return Entry.objects.filter(project=project, type=type, ref__in=refs, shortcut=False)


def _place_all(project: Project, placed: Sequence[tuple[Thing, str]]) -> list[Entry]:
    """Original entries of these things at these paths, with their folders, made by the things' authors."""
    makers = {thing.created_by_id for thing, _ in placed}
    for maker in sorted(makers, key=str):
        by = User.objects.filter(pk=maker).first() if maker else None
        folders.make_parents(project, [path for thing, path in placed if thing.created_by_id == maker], by)
    entries = [
        Entry(
            project=project,
            ref=thing.ref,
            href=thing.href,
            meta=_meta(thing),
            created_by_id=thing.created_by_id,
            created_at=thing.created_at,
            **derived.columns(path, thing.type),
        )
        for thing, path in placed
    ]
    folders.add(entries)
    return entries


def _meta(thing: Thing) -> dict[str, Any]:
    at = thing.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {"created_at": at, "created_by": thing.created_by_id}
