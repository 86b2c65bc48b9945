"""Moving and linking (§10, §11). Folders take along what the caller sees; where folders meet they become one."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import F, Max, Q, QuerySet, Value
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
    _check_room(below, old, new, field)
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


def _check_room(below: QuerySet[Entry], old: str, new: str, field: str) -> None:
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


# --- links -------------------------------------------------------------------------------------------------------


def link(actor: Actor, uuid: UUID | None, new_path: str) -> Entry:
    """A second entry for the same thing at `new_path`; of a folder, for everything the caller sees below it too.

    What is there already is used. Raises BadRequestError on `new_path`, NotFoundError.
    """
    new, project = paths.checked(new_path, FIELD), visible.project_of(actor)
    with folders.changing(project):
        entry = visible.entry(actor, uuid)
        if new == entry.path:
            raise BadRequestError("Cannot link an entry onto itself.", field=FIELD)
        made = _link_folder(actor, entry, new) if entry.type == FOLDER else _link_file(actor, entry, new)
    views.attach(actor, [made])
    return made


def _link_file(actor: Actor, entry: Entry, new: str) -> Entry:
    project = visible.project_of(actor)
    same = Entry.objects.filter(text.at("path", new), project=project, type=entry.type, ref=entry.ref, shortcut=True)
    there = same.order_by("uuid").first()
    if there is not None:
        return there
    folders.make_parents(project, [new], actor.user)
    made = _linked(actor, entry, derived.columns(new, entry.type))
    made.save(force_insert=True)
    return made


def _link_folder(actor: Actor, folder: Entry, new: str) -> Entry:
    old, project = folder.path, visible.project_of(actor)
    if paths.is_below(new, old):
        raise BadRequestError("Cannot link a folder below itself.", field=FIELD)
    below = visible.entries(actor).filter(text.below("path", old))
    _check_room(below, old, new, FIELD)
    found = list(below.order_by("depth", "id"))
    there = _already_there(project, new)
    folders.make_parents(project, [new], actor.user)
    links = [_linked(actor, folder, derived.columns(new, FOLDER))]
    links += map(partial(_linked, actor), found, derived.copied(found, old, new))
    folders.add(list({_identity(each): each for each in links if _identity(each) not in there}.values()))
    remaining = folders.folder_at(project, new)
    assert remaining is not None  # noqa: S101 - it was there or has just been made
    return remaining


def _already_there(project: Project, new: str) -> set[tuple[str, str, str | None]]:
    """The folders and links at and below the target, by what makes them identical."""
    taken = Entry.objects.filter(text.at("path", new) | text.below("path", new), project=project)
    rows = taken.filter(Q(type=FOLDER) | Q(shortcut=True)).values_list("path", "type", "ref")
    return {(path, type, None if type == FOLDER else ref) for path, type, ref in rows}


def _identity(entry: Entry) -> tuple[str, str, str | None]:
    return entry.path, entry.type, None if entry.type == FOLDER else entry.ref


def _linked(actor: Actor, entry: Entry, columns: dict[str, Any]) -> Entry:
    same = {name: getattr(entry, name) for name in ("project_id", "ref", "href", "meta", "created_at")}
    return Entry(created_by=actor.user, shortcut=True, **same, **columns)
