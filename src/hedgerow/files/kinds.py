"""The kinds of objects that appear in the tree. The room that owns a kind registers it (file_system.md §13.1).

Such a room calls `objects.place`, `objects.follow` and `objects.remove` in the transaction that changes its object.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import CharField, Func, QuerySet
from django.db.models.functions import Cast

from hedgerow.accounts.models import Project


@dataclass(frozen=True)
class Thing:
    """An object as the tree shows it: where it goes, its name, and whose it is."""

    type: str
    ref: str
    folder: tuple[str, ...]
    name: str
    href: str
    created_by_id: int | None
    created_at: datetime


@dataclass(frozen=True)
class Kind:
    """What the tree has to know of one kind of object.

    `type` is also the resource whose access rules hold for the objects and the first half of the scope that deletes
    them. `live` and `deleted` answer a project's objects with their `ref` in `tree_ref`; they have `created_by_id`.
    `delete` deletes one as its own route does. `restore` brings one of `deleted` back, without its entry, or answers
    False when it is live by now; without it the kind cannot be restored. `undo` tells people how.
    """

    type: str
    live: Callable[[Project], QuerySet[Any]]
    thing: Callable[[Any], Thing]
    delete: Callable[[Any], None]
    deleted: Callable[[Project], QuerySet[Any]] | None = None
    restore: Callable[[Any], bool] | None = None
    undo: str = ""


_kinds: Final[dict[str, Kind]] = {}


def register(kind: Kind) -> None:
    """Make a kind known; once per process."""
    _kinds[kind.type] = kind


def get(type: str) -> Kind | None:
    """The kind of this type, if it is registered."""
    return _kinds.get(type)


def every() -> list[Kind]:
    """All registered kinds, in the order of their types."""
    return [_kinds[type] for type in sorted(_kinds)]


class uuid_text(Func):  # noqa: N801 - reads like the functions it stands beside
    """A UUID column as the contract writes it, inside a statement. SQLite keeps the 32 digits alone."""

    output_field = CharField()

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:  # noqa: ARG002
        digits, values = compiler.compile(self.get_source_expressions()[0])
        cuts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        return " || '-' || ".join(f"SUBSTR({digits}, {at}, {size})" for at, size in cuts), tuple(values) * len(cuts)

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:  # noqa: ARG002
        return compiler.compile(Cast(self.get_source_expressions()[0], CharField()))
