"""Prefixes, and the names of warehouse tables (external_data_sources.md §5)."""

import re
from collections.abc import Collection
from typing import Final

from hedgerow.core.errors import BadRequestError
from hedgerow.sources import inputs
from hedgerow.sources.models import Source

PREFIX_LENGTH: Final = 100
TABLE_NAME_LENGTH: Final = 128
_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FOREIGN: Final = re.compile(r"[^a-z0-9_]")


def prefix(value: object) -> str | None:
    """The prefix without blanks around it, None for null. Raises BadRequestError when too long or no text (§5.1.3)."""
    return inputs.text(value, "prefix", max_length=PREFIX_LENGTH)


def check_characters(prefix: str | None) -> None:
    """Raises BadRequestError with the texts of §5.1."""
    if not prefix:
        return
    core = prefix.strip("_")
    if not core:
        raise BadRequestError("Prefix cannot consist of only underscores", field="prefix")
    if not _PREFIX.fullmatch(core):
        raise BadRequestError(
            "Prefix must contain only letters, numbers, and underscores, and start with a letter or underscore",
            field="prefix",
        )


def prefix_key(prefix: str | None) -> str:
    """What makes a prefix unique: `shop`, `Shop_` and `shop__` lead to the same table names (§5.2)."""
    return (prefix or "").lower().rstrip("_")


def check_free(project_id: int, source_type: str, prefix: str | None) -> None:
    """Raises BadRequestError with the texts of §5.2. The constraint `one_live_prefix` keeps the rule in a race."""
    taken = Source.objects.filter(
        project_id=project_id, source_type=source_type, prefix_key=prefix_key(prefix), deleted_at=None
    )
    if taken.exists():
        raise taken_error(prefix)


def taken_error(prefix: str | None) -> BadRequestError:
    """The refusal of a prefix that a live source of the same type has."""
    if prefix:
        return BadRequestError("Prefix already exists", field="prefix")
    return BadRequestError("Source type already exists. Prefix is required", field="prefix")


def table_name(source: Source, name: str) -> str:
    """The warehouse name of the source's table `name`, before any suffix (§5.3)."""
    prefix = source.prefix or ""
    if prefix and not prefix.endswith("_"):
        prefix += "_"
    return _FOREIGN.sub("_", f"{prefix}{source.source_type}_{name}".lower())[:TABLE_NAME_LENGTH]


def free_name(name: str, taken: Collection[str]) -> str:
    """`name`, or with `_2`, `_3`, … the first that no other table has (§5.3)."""
    candidate, number = name, 2
    while candidate in taken:
        candidate = f"{name}_{number}"
        number += 1
    return candidate
