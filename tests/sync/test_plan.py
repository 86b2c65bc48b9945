"""Settings and the table's last state → what a run does."""

from dataclasses import replace

import pytest

from hedgerow.connectors.contract import Column, SourceTable
from hedgerow.core.errors import BadDataError, KeyRequiredError
from hedgerow.sync.plan import Mark, Plan, Wanted, Write, make, merge_key, order_of, without_mark

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


READ = Mark("updated_at", "9", order="time", identity="1", key=("id", "n"))


@pytest.mark.parametrize(
    ("key", "identity", "goes_on"),
    [
        (("n", "id"), "1", True),
        (("id", "n"), None, True),
        (("id", "n"), "2", False),
        (("id",), "1", False),
        (("id", "n", "m"), "1", False),
    ],
)
def test_rows_of_another_table_or_by_another_key_are_read_again(
    key: tuple[str, ...], identity: str | None, goes_on: bool
) -> None:
    plan = make(replace(wanted("incremental", key=key), identity=identity), exists=True, mark=READ)
    assert (plan.write, plan.after) == ((Write.MERGE, "9") if goes_on else (Write.REPLACE, None))
    assert plan.check_key is not goes_on


def test_append_looks_at_the_table_and_not_at_the_key() -> None:
    same = replace(wanted("append", key=("other",)), identity="1")
    assert make(same, exists=True, mark=READ).write is Write.APPEND
    assert make(replace(same, identity="2"), exists=True, mark=READ).write is Write.REPLACE
    assert make(same, exists=True, mark=Mark("updated_at", "9")).write is Write.APPEND, "an old mark knows neither"


def test_another_table_is_noticed_whatever_the_mark_says_of_the_cursor() -> None:
    for mark in (Mark(None, None, identity="1"), Mark("id", "9", identity="1")):
        assert make(replace(wanted("append"), identity="2"), exists=True, mark=mark).write is Write.REPLACE


def test_a_value_is_only_compared_with_its_like() -> None:
    table = SourceTable(
        "t", (Column("a", "int", "integer"), Column("b", "numeric(9,2)", "decimal"), Column("c", "text", "string"))
    )
    assert order_of("a", table) == order_of("b", table)
    assert order_of("c", table) not in (order_of("a", table), order_of("missing", table))
    make(replace(wanted("append"), cursor_order="time"), exists=True, mark=READ)
    with pytest.raises(BadDataError, match="updated_at"):
        make(replace(wanted("append"), cursor_order="string"), exists=True, mark=READ)
    afresh = replace(wanted("append", reload_all=True), cursor_order="string")
    assert make(afresh, exists=True, mark=READ).write is Write.REPLACE


@pytest.mark.parametrize("mark", [None, Mark("id", "9"), Mark("updated_at", None)])
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
    for mark in (Mark('we"ird', "'; drop", '{"any": "thing"}'), READ, Mark(None, None)):
        assert Mark.load(mark.dump()) == mark
    assert Mark.load('{"field": "id", "value": "9"}') == Mark("id", "9")
    assert Mark.load(None) is None


def test_what_the_connector_wants_to_be_told_goes_with_its_own_cursor_only() -> None:
    seen = Mark(MARK.field, MARK.value, "told")
    assert make(wanted("append"), exists=True, mark=seen).seen == "told"
    assert make(wanted("append"), exists=True, mark=Mark("id", "9", "told")).seen is None
    assert make(wanted("append", reload_all=True), exists=True, mark=seen).seen is None
