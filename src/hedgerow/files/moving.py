"""Moving (§10). Folders take along what the caller sees; where folders meet they become one."""

from uuid import UUID

from django.db.models import F, Max, QuerySet, Value
from django.db.models.functions import Concat, Length

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Project
from hedgerow.core.errors import BadRequestError
from hedgerow.files import derived, favourites, folders, paths, text, views, visible
from hedgerow.files.models import FOLDER, Entry
from hedgerow.files.text import CodePointText

FIELD = "new_path"


def move(actor: Actor, uuid: UUID | None, new_path: str) -> Entry:
    """The entry, at its complete new path; of a folder that met another, the one that remains.

    Raises BadRequestError on `new_path`, NotFoundError.
    """
    new, project = paths.checked(new_path, FIELD), visible.project_of(actor)
    with folders.changing(project):
        entry = visible.entry(actor, uuid)
        if entry.type == FOLDER:
            if new == entry.path:
                raise BadRequestError("Cannot move a folder onto itself.", field=FIELD)
            entry = move_folder(actor, entry, new, FIELD)
        elif new != entry.path:
            folders.make_parents(project, [new], actor.user)
            _put(entry, new)
    views.attach(actor, [entry])
    return entry


def move_folder(actor: Actor, folder: Entry, new: str, field: str = "path") -> Entry:
    """Move a folder with all that the caller sees below it; answers the folder that is at `new` then.

    Only inside `folders.changing`. What the caller does not see stays, with its folders made again. Raises
    BadRequestError on `field`, nothing changed, when an entry would exceed the limits.
    """
    old, project = folder.path, visible.project_of(actor)
    below = visible.entries(actor).filter(text.below("path", old))
    check_room(below, old, new, field)
    unseen = _unseen_below(actor, old)
    nests = paths.is_below(new, old)
    remains = folder if nests else _merge(project, folder, new)
    if nests or paths.is_below(old, new):
        _move_in_two_steps(below, folder, remains, new)
    else:
        below.update(**derived.moved(old, new))
        _put_if_kept(folder, remains, new)
    folders.make_parents(project, [new, *unseen], actor.user)
    favourites.follow_folder(project, old, new)
    return Entry.objects.get(pk=remains.pk)


def _put(entry: Entry, path: str) -> None:
    """The entry at another path, alone."""
    for name, value in derived.columns(path, entry.type).items():
        setattr(entry, name, value)
    entry.save()


def _put_if_kept(folder: Entry, remains: Entry, new: str) -> None:
    if remains.pk == folder.pk:
        _put(folder, new)


def _move_in_two_steps(below: QuerySet[Entry], folder: Entry, remains: Entry, new: str) -> None:
    """Where the old and the new place overlap, a folder could meet one that is about to leave.

    No path begins with a slash: for a moment those on their way have one.
    """
    old = folder.path
    below.update(path=Concat(Value("/"), F("path"), output_field=CodePointText()))
    _put_if_kept(folder, remains, new)
    away = Entry.objects.filter(text.below("path", f"/{old}"), project_id=folder.project_id)
    away.update(**derived.moved(old, new, path_now=f"/{old}"))


def check_room(below: QuerySet[Entry], old: str, new: str, field: str) -> None:
    """Raises BadRequestError on `field` when an entry below the folder `old` would exceed the limits below `new`."""
    most = below.aggregate(length=Max(Length("path")), depth=Max("depth"))
    if most["depth"] is not None:
        length = most["length"] - len(old) + len(new)
        paths.check_limits(length, most["depth"] - paths.depth(old) + paths.depth(new), field)


def _unseen_below(actor: Actor, folder: str) -> list[str]:
    """The paths below the folder of entries that the caller does not see."""
    hidden = visible.hidden_from(actor)
    if hidden is None:
        return []
    found = Entry.objects.filter(hidden, text.below("path", folder), project=actor.project)
    return list(found.values_list("path", flat=True))


def _merge(project: Project, folder: Entry, new: str) -> Entry:
    """Make way where a folder on the move meets another: one of the two goes, and the top one that stays is answered.

    The moved one goes, unless it is an ordinary folder and the other a linked one.
    """
    there = folders.folder_at(project, new)
    if there is None:
        return folder  # then there is nothing below it either
    everywhere, old = folders.folders(project), folder.path
    at_home = text.at("path", old) | text.below("path", old)
    moved = {
        path: (pk, linked) for pk, path, linked in everywhere.filter(at_home).values_list("pk", "path", "shortcut")
    }
    met = everywhere.filter(text.at("path", new) | text.below("path", new)).exclude(at_home)
    goes = []
    for pk, path, linked in met.values_list("pk", "path", "shortcut"):
        other = moved.get(old + path[len(new) :])
        if other is not None:
            goes.append(pk if linked and not other[1] else other[0])
    for some in folders.batches(goes):
        Entry.objects.filter(pk__in=some).delete()
    return folder if there.pk in goes else there
