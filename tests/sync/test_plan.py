"""Settings and the table's last state → what a run does."""

import pytest

from hedgerow.connectors.contract import Column, SourceTable
from hedgerow.core.errors import KeyRequiredError
from hedgerow.sync.plan import Mark, Plan, Wanted, Write, make, merge_key, without_mark

MARK = Mark("updated_at", "2026-01-01 00:00:00+00")


def wanted(sync_type: str, *, key: tuple[str, ...] = ("id",), reload_all: bool = False) -> Wanted:
    return Wanted(sync_type, "updated_at", key, reload_all)


def test_a_full_refresh_replaces_whatever_is_there() -> None:
    assert make(wanted("full_refresh"), exists=True, mark=MARK) == Plan(Write.REPLACE)


def test_the_first_run_of_a_cursor_type_reads_all_rows() -> None:
    assert make(wanted("append"), exists=False, mark=None) == Plan(Write.REPLACE, "updated_at")
    first = make(wanted("incremental"), exists=False, mark=None)
    assert first == Plan(Write.REPLACE, "updated_at", key=("id",), check_key=True)


def test_later_runs_read_what_is_new() -> None:
    assert make(wanted("append"), exists=True, mark=MARK) == Plan(Write.APPEND, "updated_at", MARK.value)
    assert make(wanted("incremental"), exists=True, mark=MARK) == Plan(
        Write.MERGE, "updated_at", MARK.value, key=("id",)
    )


def test_a_reset_reads_all_rows_again() -> None:
    plan = make(wanted("incremental", reload_all=True), exists=True, mark=MARK)
    assert (plan.write, plan.after) == (Write.REPLACE, None)


@pytest.mark.parametrize("mark", [None, Mark("id", "9")])
def test_another_cursor_goes_on_from_the_tables_own_greatest_value(mark: Mark | None) -> None:
    plan = make(wanted("incremental"), exists=True, mark=mark)
    assert plan.find_mark
    assert plan.write is Write.MERGE
    afresh = without_mark(plan)
    assert (afresh.write, afresh.check_key, afresh.find_mark) == (Write.REPLACE, True, False)


def test_incremental_without_any_key_is_refused() -> None:
    with pytest.raises(KeyRequiredError, match="Primary key required for incremental syncs"):
        make(wanted("incremental", key=()), exists=False, mark=None)


def test_the_key_is_the_chosen_one_else_the_sources_else_id() -> None:
    plain = SourceTable("t", (Column("id", "int", "integer"), Column("n", "int", "integer")))
    keyed = SourceTable("t", plain.columns, key=("n",))
    assert merge_key(["n"], plain) == ("n",)
    assert merge_key(None, keyed) == ("n",)
    assert merge_key(None, plain) == ("id",)
    assert merge_key(None, SourceTable("t")) == ()


def test_a_mark_survives_its_text() -> None:
    mark = Mark('we"ird', "'; drop", '{"any": "thing"}')
    assert Mark.load(mark.dump()) == mark
    assert Mark.load('{"field": "id", "value": "9"}') == Mark("id", "9")
    assert Mark.load(None) is None


def test_what_the_connector_wants_to_be_told_goes_with_its_own_cursor_only() -> None:
    seen = Mark(MARK.field, MARK.value, "told")
    assert make(wanted("append"), exists=True, mark=seen).seen == "told"
    assert make(wanted("append"), exists=True, mark=Mark("id", "9", "told")).seen is None
    assert make(wanted("append", reload_all=True), exists=True, mark=seen).seen is None
