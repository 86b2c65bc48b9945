"""Linking: second entries for what is there already (§11). A folder's contents are copied by the database itself."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import BigIntegerField, F, Func, Q, QuerySet, UUIDField, Value

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Project
from hedgerow.core.clock import now
from hedgerow.core.errors import BadRequestError
from hedgerow.files import derived, folders, paths, text, views, visible
from hedgerow.files.models import FOLDER, Entry
from hedgerow.files.moving import FIELD, check_room

_COPIED: Final = ("project_id", "type", "ref", "href", "meta", "is_file", "name", "created_at")
_Identity = tuple[str, str, str | None]


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
    copied = {name: getattr(entry, name) for name in ("project_id", "ref", "href", "meta", "created_at")}
    made = Entry(created_by=actor.user, shortcut=True, **copied, **derived.columns(new, entry.type))
    made.save(force_insert=True)
    return made


def _link_folder(actor: Actor, folder: Entry, new: str) -> Entry:
    old, project = folder.path, visible.project_of(actor)
    if paths.is_below(new, old):
        raise BadRequestError("Cannot link a folder below itself.", field=FIELD)
    below = visible.entries(actor).filter(text.below("path", old))
    check_room(below, old, new, FIELD)
    target = folders.folder_at(project, new)
    rows = list(below.values_list("pk", "path", "type", "ref"))
    wanted = _without_identical(rows, old, new, set() if target is None else _there(project, new))
    if target is None:
        target = _link_file(actor, folder, new)
    whole = len(wanted) == len(rows)
    for some in [below] if whole else [below.filter(pk__in=pks) for pks in folders.batches(wanted)]:
        _copy(actor, some, old, new)
    return target


def _there(project: Project, new: str) -> set[_Identity]:
    """The links and folders at and below the target."""
    taken = Entry.objects.filter(text.at("path", new) | text.below("path", new), project=project)
    rows = taken.filter(Q(type=FOLDER) | Q(shortcut=True)).values_list("path", "type", "ref")
    return {_identity(path, type, ref) for path, type, ref in rows}


def _without_identical(
    rows: Sequence[tuple[int, str, str, str | None]], old: str, new: str, there: set[_Identity]
) -> list[int]:
    """Which entries to link: not those whose link is there, nor two that would have the same link."""
    wanted = []
    for pk, path, type, ref in rows:
        identity = _identity(new + path[len(old) :], type, ref)
        if identity not in there:
            there.add(identity)
            wanted.append(pk)
    return wanted


def _identity(path: str, type: str, ref: str | None) -> _Identity:
    return path, type, None if type == FOLDER else ref


def _copy(actor: Actor, entries: QuerySet[Entry], old: str, new: str) -> None:
    """Links, below `new`, of these entries below the folder `old`: one statement that the database does by itself."""
    columns: dict[str, Any] = {name: F(name) for name in _COPIED}
    columns |= {**derived.moved(old, new), "uuid": NewId(), "shortcut": Value(True)}
    columns |= {"created_by_id": Value(actor.user.pk, output_field=BigIntegerField())}
    copies = entries.annotate(**{f"new_{name}": value for name, value in columns.items()}).order_by("depth", "pk")
    select, values = copies.values_list(*(f"new_{name}" for name in columns)).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO files_entry ({', '.join(columns)}) {select}", values)


class NewId(Func):
    """A time-ordered id (version 7) for each row, made by the database: this moment, then random bits."""

    output_field = UUIDField()

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:  # noqa: ARG002
        start = "printf('%%012x', %s) || '7' || SUBSTR(LOWER(HEX(RANDOMBLOB(2))), 2)"
        return f"{start} || SUBSTR('89ab', 1 + ABS(RANDOM() %% 4), 1) || SUBSTR(LOWER(HEX(RANDOMBLOB(8))), 2)", _now()

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:  # noqa: ARG002
        random = "SUBSTR(REPLACE(GEN_RANDOM_UUID()::text, '-', ''), 14)"
        return f"(LPAD(TO_HEX(%s::bigint), 12, '0') || '7' || {random})::uuid", _now()


def _now() -> tuple[int]:
    return (int(now().timestamp() * 1000),)
