"""Settings and the table's last state → what a run does (§9.4). Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hedgerow.connectors.contract import SourceTable
from hedgerow.core.errors import BadDataError, KeyRequiredError

_ORDERS: Final = {"integer": "number", "decimal": "number", "float": "number", "date": "time", "datetime": "time"}


class Write(StrEnum):
    REPLACE = "replace"
    APPEND = "append"
    MERGE = "merge"


@dataclass(frozen=True)
class Wanted:
    """A source table's sync settings, and what it is in the source now.

    `key` as `merge_key` answers it, `cursor_order` as `order_of`, `identity` as in the contract.
    """

    sync_type: str
    cursor_field: str | None
    key: tuple[str, ...]
    reload_all: bool
    identity: str | None = None
    cursor_order: str | None = None


def merge_key(chosen: Sequence[str] | None, seen: SourceTable) -> tuple[str, ...]:
    """The columns that tell rows apart: chosen, else the source's key, else a column `id`, else none (§9.4)."""
    if chosen:
        return tuple(chosen)
    return seen.key or (("id",) if any(c.name == "id" for c in seen.columns) else ())


def order_of(field: str | None, seen: SourceTable) -> str | None:
    """How the values of a column are ordered: as numbers, as times, or as its own type; None without the column."""
    column = next((c for c in seen.columns if c.name == field), None)
    return _ORDERS.get(column.type, column.type) if column else None


@dataclass(frozen=True)
class Mark:
    """What a table's rows were read from and how far: it lies in the Delta log, in the commit that wrote them.

    `field` and `value`: the cursor's column and its greatest value, as the source's text; `order` as `order_of`.
    `seen`: what the connector asked to be told next time (`contract.Reading.seen`).
    `identity` of the source's table, and `key`, the columns that rows were merged by. None is what is not known.
    """

    field: str | None
    value: str | None
    seen: str | None = None
    order: str | None = None
    identity: str | None = None
    key: tuple[str, ...] | None = None

    def dump(self) -> str:
        """As it stands in the Delta log."""
        return json.dumps({name: value for name, value in vars(self).items() if value is not None})

    @staticmethod
    def load(text: str | None) -> "Mark | None":
        """What `dump` wrote; None for nothing."""
        if not text:
            return None
        kept = json.loads(text)
        key = tuple(kept["key"]) if kept.get("key") else None
        order, identity = kept.get("order"), kept.get("identity")
        return Mark(kept.get("field"), kept.get("value"), kept.get("seen"), order, identity, key)


@dataclass(frozen=True)
class Plan:
    """`write` how; read `after` the cursor's value (None: all rows); `find_mark`: first ask the table how far it is.

    `seen` belongs to `after`, see `Mark`.
    """

    write: Write
    cursor_field: str | None = None
    after: str | None = None
    seen: str | None = None
    find_mark: bool = False
    key: tuple[str, ...] = ()
    check_key: bool = False


def make(wanted: Wanted, *, exists: bool, mark: Mark | None) -> Plan:
    """What the next run does. `exists`: the table has been written before.

    Rows that were read from another table of that name, or merged by another key, are no ground to go on from.
    Raises KeyRequiredError (§9.4), BadDataError when the cursor's values do not follow on those read before.
    """
    if wanted.sync_type == "full_refresh":
        return Plan(Write.REPLACE)
    if wanted.sync_type == "incremental" and not wanted.key:
        raise KeyRequiredError("Primary key required for incremental syncs")
    key = wanted.key if wanted.sync_type == "incremental" else ()
    if not exists or wanted.reload_all or (mark and _is_of_another(mark, wanted.identity, key)):
        return Plan(Write.REPLACE, wanted.cursor_field, key=key, check_key=bool(key))
    write = Write.MERGE if key else Write.APPEND
    if mark and mark.field == wanted.cursor_field and mark.value is not None:
        if mark.order and wanted.cursor_order and mark.order != wanted.cursor_order:
            raise BadDataError(
                f'The type of column "{mark.field}" changed: its values do not follow on those read before.',
                hint="Choose another incremental field, or resync the table.",
            )
        return Plan(write, wanted.cursor_field, mark.value, mark.seen, key=key)
    return Plan(write, wanted.cursor_field, find_mark=True, key=key)


def _is_of_another(mark: Mark, identity: str | None, key: tuple[str, ...]) -> bool:
    """Whether the rows came from another table, or were told apart by another key."""
    other_table = mark.identity is not None and identity is not None and mark.identity != identity
    return other_table or bool(mark.key and key and set(mark.key) != set(key))


def without_mark(plan: Plan) -> Plan:
    """The table has no value of the cursor's column to go on from: read everything afresh."""
    return Plan(Write.REPLACE, plan.cursor_field, key=plan.key, check_key=bool(plan.key))
