"""Which tables are synced and how: the rules for a table's settings."""

import uuid
from datetime import time
from typing import Any

import pytest

from hedgerow.core.errors import BadRequestError
from hedgerow.sources import choose
from hedgerow.sources.models import SourceTable
from tests.support.fake_connector import ID, NOTE, a_table

OFFERED = [a_table("orders"), a_table("Orders"), a_table("keyless", NOTE, key=())]
INCREMENTAL = {
    "name": "orders",
    "should_sync": True,
    "sync_type": "incremental",
    "incremental_field": "updated_at",
    "incremental_field_type": "timestamp",
}


def chosen(*entries: Any) -> list[SourceTable]:
    return choose.entries(list(entries), OFFERED)


def refusal(*entries: Any) -> str:
    with pytest.raises(BadRequestError) as refused:
        chosen(*entries)
    return refused.value.message


def test_an_entry_becomes_a_table_with_what_the_source_says_of_it() -> None:
    (table,) = chosen({**INCREMENTAL, "sync_time_of_day": "00:00:00", "sync_frequency": "1hour"})
    assert (table.name, table.should_sync, table.sync_type) == ("orders", True, "incremental")
    assert (table.cursor_field, table.cursor_field_type) == ("updated_at", "timestamp")
    assert (table.frequency, table.time_of_day) == ("1hour", time(0))
    assert (table.key_columns, table.detected_key) == (None, ["id"])
    assert table.columns[0] == {
        "name": "id",
        "declared": "int",
        "type": "integer",
        "nullable": False,
        "cursor_type": "integer",
        "may_lose": None,
    }


def test_an_entry_with_only_a_name_is_disabled_and_not_configured() -> None:
    (table,) = chosen({"name": "Orders"})
    assert (table.name, table.should_sync, table.sync_type, table.frequency) == ("Orders", False, None, "6hour")


@pytest.mark.parametrize("raw", [None, [], {}, "orders", 5, False])
def test_tables_must_be_given_as_a_list(raw: object) -> None:
    with pytest.raises(BadRequestError, match=r"^Schemas not given$"):
        choose.given(raw)


@pytest.mark.parametrize("entry", ["orders", None, 5, [], {}, {"name": None}, {"name": 5}, {"name": "ORDERS"}])
def test_every_entry_must_name_a_table_of_the_source(entry: object) -> None:
    assert refusal(INCREMENTAL, entry) == "Schemas given do not exist in source"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"incremental_field": None}, "Incremental schemas given do not have an incremental field set"),
        ({"incremental_field": ""}, "Incremental schemas given do not have an incremental field set"),
        (
            {"incremental_field_type": None, "sync_type": "append"},
            "Incremental schemas given do not have an incremental field type set",
        ),
        ({"sync_type": "cdc"}, "Invalid sync type"),
        ({"sync_type": "webhook", "should_sync": False}, "Invalid sync type"),
        ({"sync_type": 5}, "Invalid sync type"),
        ({"sync_type": None}, "Sync type must be set up first before enabling schema"),
        ({"incremental_field_type": "text"}, "Invalid incremental field type"),
        ({"incremental_field": "gone"}, 'Incremental field "gone" does not exist on schema "orders"'),
        ({"primary_key_columns": ["id", "no"]}, 'Primary key column "no" does not exist on schema "orders"'),
        ({"primary_key_columns": "id"}, 'Expected a list of items but got type "str".'),
        ({"sync_time_of_day": "25:00:00"}, "Invalid sync time of day"),
        ({"sync_time_of_day": 7}, "Invalid sync time of day"),
        ({"sync_frequency": "2hour"}, '"2hour" is not a valid choice.'),
        ({"bad_values": "zero"}, '"zero" is not a valid choice.'),
        ({"should_sync": "yes"}, "Must be a valid boolean."),
    ],
)
def test_an_entry_that_cannot_work_is_refused(changes: dict[str, Any], text: str) -> None:
    assert refusal({**INCREMENTAL, **changes}) == text


def test_a_disabled_entry_may_be_incomplete() -> None:
    (table,) = chosen({"name": "orders", "should_sync": False, "sync_type": "incremental"})
    assert (table.sync_type, table.cursor_field) == ("incremental", None)


def test_a_check_covers_all_entries_before_the_next_one_begins() -> None:
    wrong_type, no_cursor = {"name": "Orders", "sync_type": "x"}, {**INCREMENTAL, "incremental_field": None}
    assert refusal(wrong_type, no_cursor) == "Incremental schemas given do not have an incremental field set"


def test_a_table_is_chosen_once() -> None:
    assert refusal(INCREMENTAL, {"name": "orders"}) == "Schemas given contain duplicates"
    assert len(chosen(INCREMENTAL, {"name": "Orders"})) == 2


# --- changing ----------------------------------------------------------------------------------------------------


def a_known_table(**values: Any) -> SourceTable:
    """As a full refresh that has run."""
    columns = [{"name": c.name, "type": c.type, "nullable": True, "cursor_type": c.cursor_type} for c in (ID, NOTE)]
    defaults = {"name": "orders", "should_sync": True, "sync_type": "full_refresh", "columns": columns}
    return SourceTable(**{**defaults, "detected_key": ["id"], "table_id": uuid.uuid4(), **values})


def changed(table: SourceTable, **changes: Any) -> set[str]:
    return choose.change(table, choose.check_changes(changes))


def change_refusal(table: SourceTable, **changes: Any) -> tuple[str, str, str | None]:
    with pytest.raises(BadRequestError) as refused:
        changed(table, **changes)
    return refused.value.message, refused.value.code, refused.value.field


def test_only_what_is_named_changes() -> None:
    table = a_known_table()
    assert changed(table, sync_frequency="1hour", id="x", status="Failed", incremental=True) == {"frequency"}
    assert (table.frequency, table.sync_type, table.should_sync) == ("1hour", "full_refresh", True)
    assert changed(table) == set()


def test_the_object_as_it_was_shown_changes_nothing() -> None:
    shown = {
        "should_sync": True,
        "sync_type": "full_refresh",
        "incremental_field": None,
        "incremental_field_type": None,
        "primary_key_columns": ["id"],
        "sync_frequency": "6hour",
        "sync_time_of_day": None,
    }
    table = a_known_table()
    assert changed(table, **shown) == set()
    assert table.key_columns is None


@pytest.mark.parametrize(
    ("given", "kept"), [("08:30:00", time(8, 30)), ("08:30", time(8, 30)), ("00:00:00", time(0)), (None, None)]
)
def test_a_time_of_day_is_kept(given: str | None, kept: time | None) -> None:
    table = a_known_table(time_of_day=time(1))
    assert changed(table, sync_time_of_day=given) == {"time_of_day"}
    assert table.time_of_day == kept


@pytest.mark.parametrize("value", ["8:30", "24:00:00", "08:60:00", "", "08:30:00.5", 830, True, "０８:30"])
def test_any_other_time_is_refused(value: object) -> None:
    assert change_refusal(a_known_table(), sync_time_of_day=value)[0] == "Invalid sync time of day"


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"sync_type": "weekly"}, ("Invalid sync type", "invalid_input", "sync_type")),
        ({"sync_type": ""}, ("Invalid sync type", "invalid_input", "sync_type")),
        ({"sync_type": "webhook"}, ("Invalid sync type", "invalid_input", "sync_type")),
        ({"sync_type": "cdc"}, ("CDC is not enabled for this team", "invalid_input", "sync_type")),
        ({"sync_type": None}, ("Sync type must be set up first before enabling schema", "invalid_input", None)),
        ({"sync_type": "append"}, (choose.NO_CURSOR, "invalid_input", None)),
        ({"sync_type": "append", "incremental_field": "id"}, (choose.NO_CURSOR_TYPE, "invalid_input", None)),
        (
            {"incremental_field_type": "text"},
            ('"text" is not a valid choice.', "invalid_choice", "incremental_field_type"),
        ),
        ({"sync_frequency": "fast"}, ('"fast" is not a valid choice.', "invalid_choice", "sync_frequency")),
        ({"bad_values": "zero"}, ('"zero" is not a valid choice.', "invalid_choice", "bad_values")),
        ({"sync_frequency": []}, ('"[]" is not a valid choice.', "invalid_choice", "sync_frequency")),
        ({"sync_frequency": "1min"}, (choose.TOO_FAST, "invalid_input", "sync_frequency")),
        ({"should_sync": None}, ("This field may not be null.", "null", "should_sync")),
        ({"should_sync": "perhaps"}, ("Must be a valid boolean.", "invalid_input", "should_sync")),
        (
            {"incremental_field": "gone"},
            ('Incremental field "gone" does not exist on schema "orders"', "invalid_input", "incremental_field"),
        ),
        (
            {"primary_key_columns": ["gone"]},
            ('Primary key column "gone" does not exist on schema "orders"', "invalid_input", "primary_key_columns"),
        ),
        (
            {"primary_key_columns": [5]},
            ("Not a valid string.", "invalid_input", "primary_key_columns__0"),
        ),
    ],
)
def test_a_change_that_cannot_work_is_refused(changes: dict[str, Any], refused: tuple[str, str, str | None]) -> None:
    assert change_refusal(a_known_table(), **changes) == refused


def test_a_table_without_sync_type_cannot_be_enabled() -> None:
    text = "Sync type must be set up first before enabling schema"
    assert change_refusal(a_known_table(should_sync=False, sync_type=None), should_sync="true")[0] == text
    table = a_known_table(should_sync=False, sync_type=None)
    assert changed(table, should_sync=True, sync_type="full_refresh") == {"should_sync", "sync_type"}


def test_a_disabled_table_may_be_configured_bit_by_bit() -> None:
    table = a_known_table(should_sync=False)
    assert changed(table, sync_type="incremental") == {"sync_type"}
    assert change_refusal(table, should_sync=True)[0] == choose.NO_CURSOR


@pytest.mark.parametrize("text", ["true", "True", "1", 1, True])
def test_true_may_be_written_as_text(text: object) -> None:
    table = a_known_table(should_sync=False)
    changed(table, should_sync=text)
    assert table.should_sync is True


def test_the_key_of_synced_incremental_data_is_fixed() -> None:
    by_cursor = {"sync_type": "incremental", "cursor_field": "id", "cursor_field_type": "integer"}
    assert change_refusal(a_known_table(**by_cursor), primary_key_columns=["note"])[0] == choose.KEY_IS_FIXED
    assert changed(a_known_table(**by_cursor, table_id=None), primary_key_columns=["note"]) == {"key_columns"}
    assert changed(a_known_table(), primary_key_columns=["note"]) == {"key_columns"}
    own = a_known_table(**by_cursor, key_columns=["id"])
    assert changed(own, primary_key_columns=None) == {"key_columns"}  # the source's own key is the same one


def test_an_empty_frequency_is_never() -> None:
    table = a_known_table()
    assert changed(table, sync_frequency=None) == {"frequency"}
    assert table.frequency == "never"
