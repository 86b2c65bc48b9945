"""Which tables are synced and how: the rules for a table's settings (§7.2 checks 7 to 16, §8.2, §8.3)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, get_args

from hedgerow.connectors.contract import BadValues
from hedgerow.connectors.contract import SourceTable as Offered
from hedgerow.core.errors import BadRequestError
from hedgerow.sources import discovery, inputs
from hedgerow.sources.models import SourceTable

SYNC_TYPES: Final = ("full_refresh", "incremental", "append")
CURSOR_SYNC_TYPES: Final = ("incremental", "append")
CURSOR_TYPES: Final = ("integer", "numeric", "datetime", "date", "timestamp")
BAD_VALUES: Final[tuple[str, ...]] = get_args(BadValues)
FREQUENCIES: Final = (
    "never",
    "5min",
    "15min",
    "30min",
    "1hour",
    "6hour",
    "12hour",
    "24hour",
    "7day",
    "30day",
)
NOT_GIVEN: Final = "Schemas not given"
UNKNOWN: Final = "Schemas given do not exist in source"
NO_CURSOR: Final = "Incremental schemas given do not have an incremental field set"
NO_CURSOR_TYPE: Final = "Incremental schemas given do not have an incremental field type set"
NOT_SET_UP: Final = "Sync type must be set up first before enabling schema"
INVALID_SYNC_TYPE: Final = "Invalid sync type"
TOO_FAST: Final = (
    "A 1-minute sync frequency is only available for CDC schemas. "
    "The fastest frequency for other sync types is 5 minutes."
)
KEY_IS_FIXED: Final = (
    "Primary key cannot be changed after data has been synced. "
    "Delete the synced data first, then change the primary key."
)

FIELDS: Final = {
    "should_sync": "should_sync",
    "sync_type": "sync_type",
    "incremental_field": "cursor_field",
    "incremental_field_type": "cursor_field_type",
    "primary_key_columns": "key_columns",
    "sync_frequency": "frequency",
    "sync_time_of_day": "time_of_day",
    "bad_values": "bad_values",
}
"""The contract's names of what a user may set, and ours."""


# --- creating (§7.2) ---------------------------------------------------------------------------------------------


def given(raw: object) -> list[Any]:
    """Check 7: `payload.schemas` as a list that is not empty."""
    if not isinstance(raw, list) or not raw:
        raise BadRequestError(NOT_GIVEN)
    return raw


def entries(raw: list[Any], offered: Sequence[Offered]) -> list[SourceTable]:
    """The chosen tables, not stored yet. Checks 8 to 16 in their order, each over all entries."""
    by_name = {table.name: table for table in offered}
    if not all(isinstance(e, dict) and isinstance(e.get("name"), str) and e["name"] in by_name for e in raw):
        raise BadRequestError(UNKNOWN)
    drafts = [(_draft(entry, by_name[entry["name"]]), entry) for entry in raw]
    enabled = [draft for draft, _ in drafts if draft.should_sync]
    _require_cursors(enabled)
    for _, entry in drafts:
        if entry.get("sync_type") not in (None, "", *SYNC_TYPES):
            raise BadRequestError(INVALID_SYNC_TYPE, field="sync_type")
    _refuse(NOT_SET_UP, (d for d in enabled if d.sync_type is None))
    for draft, _ in drafts:
        if draft.cursor_field_type not in (None, *CURSOR_TYPES):
            raise BadRequestError("Invalid incremental field type", field="incremental_field_type")
    for draft, entry in drafts:
        _check_column(draft, draft.cursor_field)
        draft.key_columns = _key_columns(draft, entry.get("primary_key_columns"))
    for draft, entry in drafts:
        draft.time_of_day = inputs.time_of_day(entry.get("sync_time_of_day"))
        draft.frequency = _frequency(entry.get("sync_frequency", draft.frequency))
        draft.bad_values = _bad_values(entry.get("bad_values", draft.bad_values))
    if len({draft.name for draft, _ in drafts}) < len(drafts):
        raise BadRequestError("Schemas given contain duplicates")
    return [draft for draft, _ in drafts]


def _draft(entry: dict[str, Any], table: Offered) -> SourceTable:
    should_sync = entry.get("should_sync")
    sync_type = entry.get("sync_type")
    return SourceTable(
        name=table.name,
        should_sync=False if should_sync is None else inputs.boolean(should_sync, "should_sync"),
        sync_type=sync_type if isinstance(sync_type, str) and sync_type else None,
        cursor_field=_name(entry.get("incremental_field"), "incremental_field"),
        cursor_field_type=_name(entry.get("incremental_field_type"), "incremental_field_type"),
        **discovery.seen(table),
    )


def _require_cursors(enabled: Iterable[SourceTable]) -> None:
    """Checks 9 and 10: they concern only what is enabled."""
    by_cursor = [t for t in enabled if t.sync_type in CURSOR_SYNC_TYPES]
    _refuse(NO_CURSOR, (t for t in by_cursor if not t.cursor_field))
    _refuse(NO_CURSOR_TYPE, (t for t in by_cursor if not t.cursor_field_type))


def _refuse(text: str, offending: Iterable[SourceTable]) -> None:
    if any(True for _ in offending):
        raise BadRequestError(text)


# --- changing (§8.3) ---------------------------------------------------------------------------------------------


def check_changes(changes: dict[str, Any]) -> dict[str, Any]:
    """What a PATCH may set, by our names, each value checked on its own; everything else is dropped (§8.2)."""
    checks: dict[str, Callable[[Any], Any]] = {
        "should_sync": _should_sync,
        "sync_type": _sync_type,
        "incremental_field": lambda value: _name(value, "incremental_field"),
        "incremental_field_type": _cursor_type,
        "primary_key_columns": _name_list,
        "sync_frequency": _frequency,
        "sync_time_of_day": inputs.time_of_day,
        "bad_values": _bad_values,
    }
    return {FIELDS[name]: check(changes[name]) for name, check in checks.items() if name in changes}


def change(table: SourceTable, checked: dict[str, Any]) -> set[str]:
    """Set what `check_changes` let through, and check the result as a whole. Answers the names that changed.

    Raises BadRequestError; the object, not stored here, is then to be thrown away.
    """
    if "key_columns" in checked and checked["key_columns"] == effective_key(table):
        # Sent back as it was shown: the source's own key stays the source's own.
        del checked["key_columns"]
    changed = {name for name, value in checked.items() if getattr(table, name) != value}
    key_before = effective_key(table)
    for name in changed:
        setattr(table, name, checked[name])
    if table.should_sync and table.sync_type is None:
        raise BadRequestError(NOT_SET_UP)
    if table.should_sync:
        _require_cursors([table])
    if "cursor_field" in changed:
        _check_column(table, table.cursor_field)
    if "key_columns" in changed:
        _check_key(table, key_before)
    return changed


def effective_key(table: SourceTable) -> list[str] | None:
    """The merge key: the chosen columns, else those found in the source; None when there are none."""
    return table.key_columns or table.detected_key or None


def _check_key(table: SourceTable, before: list[str] | None) -> None:
    table.key_columns = _key_columns(table, table.key_columns)
    if table.sync_type == "incremental" and table.table_id is not None and effective_key(table) != before:
        raise BadRequestError(KEY_IS_FIXED, field="primary_key_columns")


# --- single values -----------------------------------------------------------------------------------------------


def _should_sync(value: object) -> bool:
    return inputs.boolean(inputs.not_null(value, "should_sync"), "should_sync")


def _sync_type(value: object) -> str | None:
    if value is None:
        return None
    if value == "cdc":
        raise BadRequestError("CDC is not enabled for this team", field="sync_type")
    if not isinstance(value, str) or value not in SYNC_TYPES:
        raise BadRequestError(INVALID_SYNC_TYPE, field="sync_type")
    return value


def _cursor_type(value: object) -> str | None:
    return None if value in (None, "") else inputs.choice(value, CURSOR_TYPES, "incremental_field_type")


def _frequency(value: object) -> str:
    """Null is how the reference shows `never` (§9.2)."""
    if value is None:
        return "never"
    if value == "1min":
        raise BadRequestError(TOO_FAST, field="sync_frequency")
    return inputs.choice(value, FREQUENCIES, "sync_frequency")


def _bad_values(value: object) -> str:
    return inputs.choice(value, BAD_VALUES, "bad_values")


def _name(value: object, field: str) -> str | None:
    """The name of a column, blanks kept; null and empty are none."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadRequestError("Not a valid string.", field=field)
    return value


def _name_list(value: object) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise BadRequestError(
            f'Expected a list of items but got type "{type(value).__name__}".',
            field="primary_key_columns",
            code="not_a_list",
        )
    names = [_name(item, f"primary_key_columns__{number}") for number, item in enumerate(value)]
    return list(dict.fromkeys(name for name in names if name)) or None


def _key_columns(table: SourceTable, value: object) -> list[str] | None:
    names = _name_list(value)
    for name in names or ():
        if all(column["name"] != name for column in table.columns):
            raise BadRequestError(
                f'Primary key column "{name}" does not exist on schema "{table.name}"', field="primary_key_columns"
            )
    return names


def _check_column(table: SourceTable, name: str | None) -> None:
    if name is not None and all(column["name"] != name for column in table.columns):
        raise BadRequestError(
            f'Incremental field "{name}" does not exist on schema "{table.name}"', field="incremental_field"
        )
