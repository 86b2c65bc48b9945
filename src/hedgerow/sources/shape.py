"""How the shape of a source table changes: what the source did, and what a run made of it. Pure.

A change is one entry of `SourceTable.changes`: `{"at", "change", "column", "from", "to", "message", "run"}`. `column`
is null where the whole table is meant; `run` is null until a run has brought the stored table up to date with it, and
`message` then says what became of the stored table.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Change = dict[str, Any]

KEPT: Final = 100
"""So many changes of a table are kept, the newest."""
GONE: Final = "table_dropped"
REMADE: Final = "table_made_anew"
KEY: Final = "key_changed"
ADDED: Final = "column_added"
DROPPED: Final = "column_dropped"
TYPE: Final = "type_changed"
NULLABLE: Final = "became_nullable"
FILLED: Final = "became_not_null"
KINDS: Final = (GONE, REMADE, KEY, ADDED, DROPPED, TYPE, NULLABLE, FILLED)


@dataclass(frozen=True)
class Shape:
    """A table as discovery saw it; `columns` as `discovery.seen` keeps them."""

    columns: Sequence[Mapping[str, Any]]
    key: Sequence[str]
    identity: str | None


def differences(before: Shape, after: Shape) -> list[Change]:
    """What changed in the source, most important first, undated. A column is known by its name."""
    old = {column["name"]: column for column in before.columns}
    new = {column["name"]: column for column in after.columns}
    renamed = _perhaps_renamed(before.columns, after.columns)
    return [
        *_of_table(before, after),
        *(change for name in new if name in old for change in _of_column(name, old[name], new[name])),
        *(_dropped(name, old[name], renamed.get(name)) for name in old if name not in new),
        *(
            _added(name, new[name], next((a for a, b in renamed.items() if b == name), None))
            for name in new
            if name not in old
        ),
    ]


def gone() -> Change:
    """The table is not in the source any more."""
    return _change(GONE, "The table is gone from the source. What was synced of it stays.")


def is_gone(changes: Iterable[Change]) -> bool:
    """Whether it is noted that the table is gone, and no run has read it since."""
    return any(change["change"] == GONE and not change["run"] for change in changes)


def dated(changes: Iterable[Change], moment: datetime, earlier: Sequence[Change]) -> list[Change]:
    """New changes before `earlier` ones, the newest KEPT of them."""
    at = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return [*({"at": at, **change, "run": None} for change in changes), *earlier][:KEPT]


def applied(
    changes: Iterable[Change], *, run: str, whole: bool, before: Mapping[str, str], after: Mapping[str, str]
) -> list[Change]:
    """The changes, those still open completed: `run` has committed the table in the shape that discovery last saw.

    `whole`: the run read everything. `before` and `after` it: the stored type of each column, by its source name.
    """
    return [
        change
        if change["run"]
        else {
            **change,
            "run": run,
            "message": f"{change['message']} {_outcome(change, whole, before, after)}".rstrip(),
        }
        for change in changes
    ]


def _of_table(before: Shape, after: Shape) -> list[Change]:
    changes = []
    if before.identity and after.identity and before.identity != after.identity:
        changes.append(_change(REMADE, "The table was dropped and made anew in the source."))
    if set(before.key) != set(after.key):
        old, new = (", ".join(key) or None for key in (before.key, after.key))
        text = f"The key of the table changed from {old or 'none'} to {new or 'none'}."
        changes.append(_change(KEY, text, was=old, now=new))
    return changes


def _of_column(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    changes = []
    was, now = old.get("declared", new["declared"]), new["declared"]
    if was != now:
        changes.append(_change(TYPE, f"{name}: {was} became {now}.", name, was, now))
    if old["nullable"] != new["nullable"]:
        kind, text = (NULLABLE, "may be null now") if new["nullable"] else (FILLED, "may not be null any more")
        changes.append(_change(kind, f"{name} {text}.", name))
    return changes


def _dropped(name: str, old: Mapping[str, Any], renamed: str | None) -> Change:
    was = old.get("declared", old["type"])
    hint = f" Perhaps it was renamed to {renamed}: Hedgerow takes that for another column." if renamed else ""
    return _change(DROPPED, f"{name}: this column of type {was} is gone from the source.{hint}", name, was=was)


def _added(name: str, new: Mapping[str, Any], renamed: str | None) -> Change:
    hint = f" Perhaps it was called {renamed} before: Hedgerow takes that for another column." if renamed else ""
    return _change(ADDED, f"{name}: new column of type {new['declared']}.{hint}", name, now=new["declared"])


def _perhaps_renamed(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Old name → new name where one of the same type stands in the place of another."""
    old, new = ({column["name"] for column in columns} for columns in (before, after))
    return {
        a["name"]: b["name"]
        for a, b in zip(before, after, strict=False)
        if a["name"] not in new and b["name"] not in old and a.get("declared") == b["declared"]
    }


def _outcome(change: Change, whole: bool, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What became of the stored table, in a sentence; empty where there is nothing to add."""
    if change["change"] == GONE:
        return "It is back."
    if change["change"] in (REMADE, KEY):
        return "It was read again as a whole." if whole else ""
    was, now = before.get(change["column"]), after.get(change["column"])
    if change["change"] == DROPPED:
        return "The table here has it no more." if now is None else "The table here keeps it, with null in new rows."
    if now is None:
        return ""
    if change["change"] == ADDED:
        return f"Stored as {now}." if whole else f"Stored as {now}; rows that were here before have null in it."
    if change["change"] == TYPE:
        return f"Stored as {now} as before." if was == now else f"Stored as {now}, before as {was}."
    return ""


def _change(
    kind: str, message: str, column: str | None = None, was: str | None = None, now: str | None = None
) -> Change:
    return {"change": kind, "column": column, "from": was, "to": now, "message": message}
