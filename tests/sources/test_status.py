"""What a source shows of its tables."""

from dataclasses import dataclass

import pytest

from hedgerow.sources import status


@dataclass
class Table:
    status: str | None
    should_sync: bool = True
    latest_error: str | None = None
    switched_off_by_engine: bool = False
    name: str = "t"


def off(state: str | None, error: str | None = None) -> Table:
    return Table(state, should_sync=False, latest_error=error)


def given_up(error: str) -> Table:
    return Table("Failed", should_sync=False, latest_error=error, switched_off_by_engine=True)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([], "Paused"),
        ([off(None)], "Paused"),
        ([off("Completed")], "Paused"),
        ([off("Failed", "broken")], "Paused"),
        ([Table(None)], "Running"),
        ([Table("Running"), Table("Completed")], "Running"),
        ([Table("Completed"), Table(None)], "Completed"),
        ([Table("Cancelled"), Table(None)], "Cancelled"),
        ([Table("Completed"), Table("Cancelled")], "Completed"),
        ([Table("Failed"), Table("Running")], "Failed"),
        ([Table("Completed"), off("Failed", "broken")], "Completed"),
        ([Table("Completed"), given_up("no right")], "Failed"),
        ([given_up("no right")], "Failed"),
        ([off("Running", "was broken")], "Running"),
        ([Table("Paused"), Table("Running")], "Paused"),
    ],
)
def test_the_first_rule_that_fits_decides(tables: list[Table], expected: str) -> None:
    assert status.of_source(tables) == expected


def test_the_error_shown_is_the_first_by_name_enabled_tables_first() -> None:
    tables = [
        Table("Failed", name="b", latest_error="of b"),
        Table("Failed", name="a", latest_error="of a", should_sync=False),
        Table("Failed", name="c", latest_error="of c"),
        Table("Completed", name="0"),
    ]
    assert status.latest_error(tables) == "of b"
    assert status.latest_error(tables[1:2]) == "of a"
    assert status.latest_error([]) is None
