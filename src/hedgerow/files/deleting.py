"""Deleting entries with the objects they stand for, and undoing that (§8, §12)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from hedgerow.accounts import access, scopes
from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Project
from hedgerow.core.errors import BadRequestError, DeniedError
from hedgerow.files import favourites, folders, kinds, objects, paths, text, visible
from hedgerow.files.kinds import Kind
from hedgerow.files.models import FOLDER, Entry, View

NOT_RESTORABLE: Final = "This object cannot be restored."


@dataclass(frozen=True)
class Deleted:
    """An object that went, and where its entry was."""

    kind: Kind
    ref: str
    path: str

    @property
    def can_undo(self) -> bool:
        return self.kind.restore is not None


@dataclass(frozen=True)
class Item:
    """One object to be brought back; `path` where it shall be, or None for its default folder."""

    type: str
    ref: str
    path: str | None = None


def delete(actor: Actor, uuid: UUID | None) -> list[Deleted]:
    """Delete an entry, of a folder also all the caller sees below it, and the objects whose originals go.

    Answers those objects, by depth and path. All or nothing. Raises NotFoundError; DeniedError for an object that
    the caller or their key may not delete.
    """
    project = visible.project_of(actor)
    with folders.changing(project):
        entry = visible.entry(actor, uuid)
        doomed = Q(pk=entry.pk)
        if entry.type == FOLDER:
            doomed |= Q(pk__in=visible.entries(actor).filter(text.below("path", entry.path)).values("pk"))
        going = _objects(actor, project, Entry.objects.filter(doomed, project=project))
        _forget_views(project, doomed)
        Entry.objects.filter(doomed, project=project).delete()
        for kind in {each.kind.type: each.kind for each, _ in going}.values():
            objects.remove(project, kind.type, [each.ref for each, _ in going if each.kind is kind])
        for each, found in going:
            each.kind.delete(found)
        if entry.type == FOLDER:
            _keep_folders_of_the_unseen(actor, project, entry)
    return [each for each, _ in going]


def _objects(actor: Actor, project: Project, entries: QuerySet[Entry]) -> list[tuple[Deleted, Any]]:
    """The live objects whose original entries are among these. Raises DeniedError for one that may not be deleted."""
    going = []
    for kind in kinds.every():
        originals = entries.filter(type=kind.type, shortcut=False, ref__isnull=False)
        where = dict(originals.order_by("-depth", "-path").values_list("ref", "path"))
        if not where:
            continue
        found = kind.live(project).filter(tree_ref__in=originals.values("ref"))
        going += [(Deleted(kind, each.tree_ref, where[each.tree_ref]), each) for each in found]
    for each, found in going:
        _require_scope(actor, each.kind)
        access.require_object(actor, each.kind.type, str(found.pk), creator_id=found.created_by_id, level="editor")
    return sorted(going, key=lambda pair: (paths.depth(pair[0].path), pair[0].path))


def _require_scope(actor: Actor, kind: Kind) -> None:
    needed = f"{kind.type}:write"
    if actor.key is not None and not scopes.allows(actor.key.scopes, needed):
        raise DeniedError(f"API key missing required scope '{needed}'")


def _forget_views(project: Project, doomed: Q) -> None:
    """Everybody's views of the things whose last original entry is about to go."""
    same = Entry.objects.filter(project=project, shortcut=False, type=OuterRef("type"), ref=OuterRef("ref"))
    last = Exists(same.filter(doomed)) & ~Exists(same.exclude(doomed))
    View.objects.filter(last, project=project).delete()


def _keep_folders_of_the_unseen(actor: Actor, project: Project, folder: Entry) -> None:
    """What the caller does not see has stayed: all the folders on its way are made again."""
    stayed = Entry.objects.filter(text.below("path", folder.path), project=project)
    left = list(stayed.values_list("path", flat=True))
    folders.make_parents(project, left, actor.user)
    favourites.forget_folders(project, folder.path, {each for path in left for each in paths.ancestors(path)})


# --- undoing -----------------------------------------------------------------------------------------------------


def undo(actor: Actor, items: Sequence[Item]) -> None:
    """Bring these objects back, each with its original entry. All or nothing.

    Raises BadRequestError, with one text for whatever stands in the way so that nobody learns what exists;
    DeniedError when the key lacks an object's scope.
    """
    project = visible.project_of(actor)
    with folders.changing(project):
        for item in items:
            kind = kinds.get(item.type)
            if kind is None or kind.restore is None or kind.deleted is None:
                raise _refusal()
            _require_scope(actor, kind)
            found = kind.deleted(project).filter(tree_ref=item.ref).first()
            if found is None or not _may_edit(actor, kind, found) or not kind.restore(found):
                raise _refusal()
            objects.place(project, kind.thing(found), item.path)


def _may_edit(actor: Actor, kind: Kind, found: Any) -> bool:
    level = access.level_for(actor, kind.type, str(found.pk), creator_id=found.created_by_id)
    return access.at_least(level, "editor")


def _refusal() -> BadRequestError:
    return BadRequestError(NOT_RESTORABLE, field="items")
