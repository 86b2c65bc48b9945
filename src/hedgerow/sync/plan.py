"""Settings and the table's last state → what a run does (§9.4). Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hedgerow.connectors.contract import SourceTable
from hedgerow.core.errors import KeyRequiredError


class Write(StrEnum):
    REPLACE = "replace"
    APPEND = "append"
    MERGE = "merge"


@dataclass(frozen=True)
class Wanted:
    """A source table's sync settings. `key` as `merge_key` answers it."""

    sync_type: str
    cursor_field: str | None
    key: tuple[str, ...]
    reload_all: bool


def merge_key(chosen: Sequence[str] | None, seen: SourceTable) -> tuple[str, ...]:
    """The columns that tell rows apart: chosen, else the source's key, else a column `id`, else none (§9.4)."""
    if chosen:
        return tuple(chosen)
    return seen.key or (("id",) if any(c.name == "id" for c in seen.columns) else ())


@dataclass(frozen=True)
class Mark:
    """How far a table has come: the cursor's column and the greatest value stored, as the source's text.

    `seen`: what the connector asked to be told next time (`contract.Reading.seen`).
    """

    field: str
    value: str
    seen: str | None = None

    def dump(self) -> str:
        """As it stands in the Delta log."""
        return json.dumps({"field": self.field, "value": self.value, "seen": self.seen})

    @staticmethod
    def load(text: str | None) -> "Mark | None":
        """What `dump` wrote; None for nothing."""
        if not text:
            return None
        kept = json.loads(text)
        return Mark(kept["field"], kept["value"], kept.get("seen"))


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
    """What the next run does. `exists`: the table has been written before. Raises KeyRequiredError (§9.4)."""
    if wanted.sync_type == "full_refresh":
        return Plan(Write.REPLACE)
    if wanted.sync_type == "incremental" and not wanted.key:
        raise KeyRequiredError("Primary key required for incremental syncs")
    key = wanted.key if wanted.sync_type == "incremental" else ()
    if not exists or wanted.reload_all:
        return Plan(Write.REPLACE, wanted.cursor_field, key=key, check_key=bool(key))
    write = Write.MERGE if key else Write.APPEND
    if mark and mark.field == wanted.cursor_field:
        return Plan(write, wanted.cursor_field, mark.value, mark.seen, key=key)
    return Plan(write, wanted.cursor_field, find_mark=True, key=key)


def without_mark(plan: Plan) -> Plan:
    """The table has no value of the cursor's column to go on from: read everything afresh."""
    return Plan(Write.REPLACE, plan.cursor_field, key=plan.key, check_key=bool(plan.key))
