"""Making and changing single entries (§5, §7)."""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from hedgerow.accounts.access import Actor
from hedgerow.core.errors import BadRequestError, ConflictError
from hedgerow.files import derived, folders, kinds, moving, paths, text, views, visible
from hedgerow.files.hrefs import check_href
from hedgerow.files.models import FOLDER, Entry

META_BYTES: Final = 1_000_000


def check_meta(meta: Mapping[str, Any]) -> None:
    """Raises BadRequestError when it is too large."""
    if len(json.dumps(meta, ensure_ascii=False, separators=(",", ":")).encode()) > META_BYTES:
        raise BadRequestError(f"Ensure this object has no more than {META_BYTES} bytes when encoded.", field="meta")


def create(actor: Actor, values: Mapping[str, Any]) -> tuple[Entry, bool]:
    """A new entry at `path` with its parent folders, and whether it is new: a folder may have been there.

    `values`: path, and any of type, ref, href, meta, shortcut. Raises BadRequestError, ConflictError for the second
    original entry of an object.
    """
    project = visible.project_of(actor)
    path = paths.checked(values["path"])
    _check(values)
    type = values.get("type", "")
    with folders.changing(project):
        there = folders.folder_at(project, path) if type == FOLDER else None
        if there is not None:
            views.attach(actor, [there])
            return there, False
        others = {name: values[name] for name in ("ref", "href", "meta", "shortcut") if name in values}
        entry = Entry(project=project, created_by=actor.user, **derived.columns(path, type), **others)
        _check_original(entry)
        folders.make_parents(project, [path], actor.user)
        entry.save(force_insert=True)
    views.attach(actor, [entry])
    return entry, True


def change(actor: Actor, uuid: UUID | None, changes: Mapping[str, Any]) -> Entry:
    """Change what is named; answers the entry that remains. Raises BadRequestError, NotFoundError, ConflictError."""
    project = visible.project_of(actor)
    path = paths.checked(changes["path"]) if "path" in changes else None
    _check(changes)
    with folders.changing(project):
        entry = visible.entry(actor, uuid)
        new = entry.path if path is None else path
        _check_new_type(actor, entry, changes.get("type", entry.type), new)
        was_folder = entry.type == FOLDER
        for name in ("type", "ref", "href", "meta", "shortcut"):
            setattr(entry, name, changes.get(name, getattr(entry, name)))
        _check_original(entry)
        if was_folder and entry.type == FOLDER and new != entry.path:
            kept = {name: getattr(entry, name) for name in changes if name != "path"}
            entry = moving.move_folder(actor, entry, new)
            for name, value in kept.items():
                setattr(entry, name, value)
        if new != entry.path:
            folders.make_parents(project, [new], actor.user)
        for name, value in derived.columns(new, entry.type).items():
            setattr(entry, name, value)
        entry.save()
    views.attach(actor, [entry])
    return entry


def get(actor: Actor, uuid: UUID | None) -> Entry:
    """One entry. Raises NotFoundError."""
    entry = visible.entry(actor, uuid)
    views.attach(actor, [entry])
    return entry


def _check(values: Mapping[str, Any]) -> None:
    check_href(values.get("href"))
    if "meta" in values:
        check_meta(values["meta"])


def _check_original(entry: Entry) -> None:
    """Raises ConflictError when the object that this original entry stands for has another one."""
    if entry.shortcut or not entry.ref or kinds.get(entry.type) is None:
        return
    same = Entry.objects.filter(project=entry.project_id, type=entry.type, ref=entry.ref, shortcut=False)
    if same.exclude(pk=entry.pk).exists():
        raise ConflictError(
            "This object already has its entry. Make a link to it, or send shortcut: true.", field="ref"
        )


def _check_new_type(actor: Actor, entry: Entry, type: str, path: str) -> None:
    """Raises BadRequestError: a folder with contents stays one, and nothing becomes a second folder of one path."""
    if type == entry.type or FOLDER not in (type, entry.type):
        return
    if entry.type == FOLDER:
        if Entry.objects.filter(text.below("path", entry.path), project=entry.project_id).exists():
            raise BadRequestError("A folder with contents cannot get another type.", field="type")
    elif folders.folder_at(visible.project_of(actor), path) is not None:
        raise BadRequestError("There is a folder with this path already.", field="type")
