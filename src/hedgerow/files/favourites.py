"""Shortcuts: every person's own list of favourites, which follow what they point to (§15)."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final
from uuid import UUID

from django.db.models import Max, Q, QuerySet, Value
from django.db.models.functions import Concat, Substr

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Project
from hedgerow.core.errors import BadRequestError, NotFoundError
from hedgerow.files import folders, paths, visible
from hedgerow.files.hrefs import check_href
from hedgerow.files.models import FOLDER, Shortcut
from hedgerow.files.text import CodePointText, range_below

SETTABLE: Final = ("path", "type", "ref", "href", "order")


class UnknownShortcutsError(BadRequestError):
    """Some ids are not those of the caller's shortcuts; nothing was changed."""

    hint = "List the shortcuts again and send only ids that are in the list."

    def __init__(self, field: str, unknown: Sequence[UUID]) -> None:
        super().__init__("Some shortcuts do not exist.", field=field)
        self.unknown = [str(each) for each in unknown]


def mine(actor: Actor) -> QuerySet[Shortcut]:
    """The caller's own shortcuts in the project, in their order."""
    found = Shortcut.objects.filter(user=actor.user, project=actor.project)
    return found.order_by("order", "lower_path", "path", "id")


def get(actor: Actor, pk: UUID | None) -> Shortcut:
    """One of the caller's own. Raises NotFoundError."""
    found = mine(actor).filter(pk=pk).first() if pk else None
    if found is None:
        raise NotFoundError
    return found


def create(actor: Actor, values: Mapping[str, Any]) -> tuple[Shortcut, bool]:
    """A shortcut at the end of the list or at `order`, and whether it is new. Raises BadRequestError."""
    checked = _checked(values)
    with _changing(actor):
        there = _identical(actor, checked)
        return (there, False) if there else (_add(actor, checked), True)


def change(actor: Actor, pk: UUID | None, changes: Mapping[str, Any]) -> Shortcut:
    """Change what is named. Raises BadRequestError, NotFoundError."""
    with _changing(actor):
        shortcut = get(actor, pk)
        checked = _checked({"type": shortcut.type, "ref": shortcut.ref, **changes})
        for name, value in checked.items():
            setattr(shortcut, name, value)
        shortcut.save()
    return shortcut


def delete(actor: Actor, pk: UUID | None) -> None:
    """Remove one. Raises NotFoundError."""
    get(actor, pk).delete()


def reorder(actor: Actor, pks: Sequence[UUID]) -> list[Shortcut]:
    """The named ones get the places 0, 1, 2, …; the others keep theirs. Answers the whole list.

    Raises BadRequestError for an id named twice, UnknownShortcutsError.
    """
    if len(set(pks)) < len(pks):
        raise BadRequestError("Every shortcut can be named once only.", field="ordered_ids")
    with _changing(actor):
        own = _known(actor, pks, "ordered_ids")
        for place, pk in enumerate(pks):
            own[pk].order = place
        Shortcut.objects.bulk_update(own.values(), ["order"], batch_size=300)
    return list(mine(actor))


def update_many(actor: Actor, add: Sequence[Mapping[str, Any]], remove: Sequence[UUID]) -> list[Shortcut]:
    """Remove some and append others, skipping those that are there. Answers the whole list.

    Raises BadRequestError, UnknownShortcutsError; nothing is changed then.
    """
    checked = [_checked(values, f"add__{place}__") for place, values in enumerate(add)]
    with _changing(actor):
        _known(actor, remove, "remove_ids")
        for some in folders.batches(remove):
            mine(actor).filter(pk__in=some).delete()
        for values in checked:
            if _identical(actor, values) is None:
                _add(actor, values)
    return list(mine(actor))


# --- following what they point to --------------------------------------------------------------------------------


def follow_folder(project: Project, old: str, new: str) -> None:
    """A folder moved: everybody's shortcuts to it and to folders below it point to the new place."""
    kept = Substr("ref", len(old) + 1, output_field=CodePointText())
    moved = Concat(Value(new, output_field=CodePointText()), kept, output_field=CodePointText())
    _to_folders(project, old).update(ref=moved)


def forget_folders(project: Project, top: str, still_there: Iterable[str]) -> None:
    """A folder was deleted: everybody's shortcuts to it and to folders below it go, but for those still there."""
    kept = set(still_there)
    gone = {ref for ref in _to_folders(project, top).values_list("ref", flat=True) if ref and ref not in kept}
    for some in folders.batches(sorted(gone)):
        Shortcut.objects.filter(project=project, type=FOLDER, ref__in=some).delete()


def rename_object(project: Project, type: str, ref: str, name: str, href: str) -> None:
    """An object got another name or address: everybody's shortcuts to it show that."""
    path = paths.place((), name)
    shown = {"path": path, "lower_path": paths.lowered(path), "href": href}
    Shortcut.objects.filter(project=project, type=type, ref=ref).update(**shown)


def forget_objects(project: Project, type: str, refs: Sequence[str]) -> None:
    """Objects are gone: everybody's shortcuts to them too."""
    Shortcut.objects.filter(project=project, type=type, ref__in=refs).delete()


def _to_folders(project: Project, top: str) -> QuerySet[Shortcut]:
    at_or_below = Q(ref=top) | range_below("ref", top)
    return Shortcut.objects.filter(at_or_below, project=project, type=FOLDER)


# --- one person's list -------------------------------------------------------------------------------------------


def _changing(actor: Actor) -> AbstractContextManager[None]:
    return folders.changing(visible.project_of(actor))


def _checked(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    checked = {name: values[name] for name in SETTABLE if name in values}
    if "path" in checked:
        checked["path"] = paths.checked(checked["path"], f"{before}path")
        checked["lower_path"] = paths.lowered(checked["path"])
    check_href(checked.get("href"), f"{before}href")
    if checked.get("type") == FOLDER and checked.get("ref") is not None:
        checked["ref"] = paths.spelled(checked["ref"])
    return checked


def _identical(actor: Actor, values: Mapping[str, Any]) -> Shortcut | None:
    same = {name: values.get(name, "" if name == "type" else None) for name in ("path", "type", "ref", "href")}
    conditions = {f"{name}__isnull" if value is None else name: value is None or value for name, value in same.items()}
    return mine(actor).filter(**conditions).first()


def _add(actor: Actor, values: Mapping[str, Any]) -> Shortcut:
    if "order" not in values:
        last = mine(actor).aggregate(last=Max("order"))["last"]
        values = {**values, "order": 0 if last is None else last + 1}
    return Shortcut.objects.create(user=actor.user, project=visible.project_of(actor), **values)


def _known(actor: Actor, pks: Sequence[UUID], field: str) -> dict[UUID, Shortcut]:
    own = {shortcut.pk: shortcut for shortcut in mine(actor)}
    unknown = [pk for pk in pks if pk not in own]
    if unknown:
        raise UnknownShortcutsError(field, unknown)
    return {pk: own[pk] for pk in pks}
