"""Texts in the database: compared by code point whatever its locale, with long ones still found by index.

Both databases compare UTF-8 byte by byte here, which is by code point: SQLite always does, PostgreSQL under its
collation "C". PostgreSQL's B-trees take no text over some 2,700 bytes and a path may have 16,000, so indexes hold the
first `START` characters of a text, which the database keeps in a column of its own (`path` → `path_start`). A text
shorter than that is its own beginning: the usual condition names the beginning alone. SQLite's indexes hold any text.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q
from django.db.models.functions import Left
from django.db.models.lookups import Lookup

START: Final = 300
"""Characters in a beginning: with four bytes each, two of them fit into an index."""

if TYPE_CHECKING:
    _Text = models.TextField[Any, Any]
    _AnyLookup = Lookup[Any]
else:
    _Text, _AnyLookup = models.TextField, Lookup


class CodePointText(_Text):
    """A text that is compared and ordered by code point."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        found = super().db_parameters(connection)
        return {**found, "collation": "C"} if connection.vendor == "postgresql" else found


@CodePointText.register_lookup
class Has(_AnyLookup):
    """`words__has`: contains this text, every character literal. PostgreSQL finds it by its trigram index."""

    lookup_name = "has"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        left, values = self.process_lhs(compiler, connection)
        text = str(self.rhs)
        if connection.vendor != "postgresql":
            return f"INSTR({left}, %s) > 0", (*values, text)
        for sign in ("\\", "%", "_"):
            text = text.replace(sign, f"\\{sign}")
        return f"{left} LIKE %s", (*values, f"%{text}%")


def beginning(column: str) -> models.GeneratedField:
    """The column that holds the first characters of another one."""
    return models.GeneratedField(
        expression=Left(column, START), output_field=CodePointText(), db_persist=True, editable=False
    )


def indexed(column: str) -> str:
    """The column that this database has an index of: SQLite has one of the whole text."""
    return column if connection.vendor == "sqlite" else f"{column}_start"


def at(column: str, text: str) -> Q:
    """The column is exactly this text."""
    whole = Q(**{column: text})
    if connection.vendor == "sqlite":
        return whole
    found = Q(**{f"{column}_start": text[:START]})
    return found if len(text) < START else found & whole


def among(column: str, texts: Sequence[str]) -> Q:
    """The column is one of these texts."""
    whole = Q(**{f"{column}__in": list(texts)})
    if connection.vendor == "sqlite":
        return whole
    found = Q(**{f"{column}_start__in": [text[:START] for text in texts]})
    return found if all(len(text) < START for text in texts) else found & whole


def below(column: str, folder: str) -> Q:
    """The column is a path below this folder. A range: nothing in a name is a pattern."""
    whole = range_below(column, folder)
    if connection.vendor == "sqlite":
        return whole
    if len(folder) < START:
        return range_below(f"{column}_start", folder)
    first, end = _bounds(folder)
    return Q(**{f"{column}_start__gte": first[:START], f"{column}_start__lte": end[:START]}) & whole


def range_below(column: str, folder: str) -> Q:
    """The same for a column without a beginning of its own."""
    first, end = _bounds(folder)
    return Q(**{f"{column}__gte": first, f"{column}__lt": end})


def _bounds(folder: str) -> tuple[str, str]:
    return f"{folder}/", f"{folder}0"  # "0" follows "/"


def by(column: str, *, descending: bool = False) -> list[str]:
    """Order by a text, in a way that an index helps with."""
    sign = "-" if descending else ""
    return [f"{sign}{name}" for name in dict.fromkeys((indexed(column), column))]
