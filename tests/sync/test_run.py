"""One run from start to end, over a real lake: what it writes, and what is true after it died anywhere."""

from typing import Any

import pyarrow as pa
import pytest
from django.db import OperationalError

from hedgerow.accounts.models import Project
from hedgerow.core.errors import (
    CredentialsError,
    InterruptedReadError,
    SourceQueryError,
    UnreachableError,
)
from hedgerow.sources.models import SourceTable
from hedgerow.sync import endings, lifecycle
from hedgerow.sync.models import RunStatus
from hedgerow.sync.policy import UNEXPECTED
from tests.sync.conftest import APPEND, INCREMENTAL, SECRET, Rows, connect

pytestmark = pytest.mark.django_db

TWO = [(1, "Ada", 10), (2, "Grace", 20)]


def test_a_full_refresh_makes_the_table_equal_the_source(rows: Rows, project: Project) -> None:
    there = connect(project)
    there.work()
    assert there.stored() == TWO
    rows.put("people", (2, "Grace H.", 20), (3, "Joan", 30), (4, "Mary", 40))
    lifecycle.reload_source(there.source)
    there.work()
    assert there.stored() == [(2, "Grace H.", 20), (3, "Joan", 30), (4, "Mary", 40)]
    first, second = there.runs()
    assert (first.status, first.rows_synced, second.rows_synced) == (RunStatus.COMPLETED, 2, 3)


def test_a_finished_run_tells_everything(rows: Rows, project: Project) -> None:
    there = connect(project, **INCREMENTAL)
    there.work()
    (run,), table = there.runs(), there.table()
    assert (table.status, table.latest_error, table.last_synced_at) == ("Completed", None, run.created_at)
    assert (run.stage, run.cursor_from, run.cursor_to, table.cursor_value) == ("done", None, "20", "20")
    assert run.finished_at is not None
    assert run.finished_at >= run.created_at
    assert table.table is not None
    assert (table.table.name, table.table.row_count) == ("demo_people", 2)
    assert table.table.columns == [
        {"name": "id", "type": "integer", "stored": "BIGINT"},
        {"name": "name", "type": "string", "stored": "VARCHAR"},
        {"name": "seen", "type": "integer", "stored": "BIGINT"},
    ]
    there.source.refresh_from_db()
    assert there.source.last_run_at == run.created_at


def test_incremental_updates_and_adds_and_keeps_what_was_deleted(rows: Rows, project: Project) -> None:
    there = connect(project, **INCREMENTAL)
    there.work()
    rows.put("people", (2, "Grace H.", 25), (3, "Joan", 30))
    lifecycle.reload_source(there.source)
    there.work()
    assert there.stored() == [(1, "Ada", 10), (2, "Grace H.", 25), (3, "Joan", 30)]
    assert rows.reads[-1].cursor is not None
    assert rows.reads[-1].cursor.after == "20"
    assert there.runs()[-1].rows_synced == 2


def test_append_adds_without_looking(rows: Rows, project: Project) -> None:
    there = connect(project, **APPEND)
    there.work()
    rows.put("people", (2, "Grace H.", 25))
    lifecycle.reload_source(there.source)
    there.work()
    assert there.stored() == [(1, "Ada", 10), (2, "Grace", 20), (2, "Grace H.", 25)]


def test_the_first_cursor_run_takes_rows_with_null_zero_and_negative_cursors(rows: Rows, project: Project) -> None:
    rows.put("people", (1, "a", None), (2, "b", 0), (3, "c", -5))
    there = connect(project, **INCREMENTAL)
    there.work()
    assert len(there.stored()) == 3


def test_without_new_rows_the_run_completes_and_the_table_is_unchanged(rows: Rows, project: Project) -> None:
    there = connect(project, **INCREMENTAL)
    there.work()
    before = there.table()
    lifecycle.reload_source(there.source)
    there.work()
    after = there.table()
    assert (there.runs()[-1].status, there.runs()[-1].rows_synced) == (RunStatus.COMPLETED, 0)
    assert after.last_synced_at is not None
    assert before.last_synced_at is not None
    assert after.last_synced_at > before.last_synced_at
    assert after.table is not None
    assert before.table is not None
    assert (after.cursor_value, after.table.version) == ("20", before.table.version)


def test_a_connector_is_told_what_it_said_of_the_reading_that_went_furthest(rows: Rows, project: Project) -> None:
    rows.seen = "first"
    there = connect(project, **APPEND)
    there.work()
    rows.seen = "second"
    for _ in range(2):
        lifecycle.reload_source(there.source)
        there.work()
    assert [read.cursor.seen for read in rows.reads if read.cursor] == [None, "first", "first"]
    rows.put("people", (3, "Joan", 30))
    for _ in range(2):
        lifecycle.reload_source(there.source)
        there.work()
    assert [read.cursor.seen for read in rows.reads if read.cursor][-2:] == ["first", "second"]


def test_what_a_connector_must_be_told_is_kept_even_without_rows(rows: Rows, project: Project) -> None:
    rows.seen, rows.seen_moved = "first", True
    there = connect(project, **INCREMENTAL)
    there.work()
    rows.seen = "second"
    for _ in range(2):
        lifecycle.reload_source(there.source)
        there.work()
    assert [(read.cursor.after, read.cursor.seen) for read in rows.reads if read.cursor] == [
        (None, None),
        ("20", "first"),
        ("20", "second"),
    ]
    assert [(run.status, run.rows_synced) for run in there.runs()][1:] == [(RunStatus.COMPLETED, 0)] * 2
    assert (there.stored(), there.table().cursor_value) == (TWO, "20")


def test_an_empty_source_makes_an_empty_table_and_empties_a_full_one(rows: Rows, project: Project) -> None:
    there = connect(project)
    there.work()
    rows.put("people")
    lifecycle.reload_source(there.source)
    there.work()
    table = there.table().table
    assert table is not None
    assert (there.stored(), table.row_count, len(table.columns)) == ([], 0, 3)


class Died(BaseException):
    """Stands for the process being gone."""


@pytest.mark.parametrize("settings", [APPEND, INCREMENTAL, {"sync_type": "full_refresh"}])
def test_dying_between_the_commit_and_the_database_neither_loses_nor_doubles(
    rows: Rows, project: Project, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    there = connect(project, **settings)
    there.work()
    rows.put("people", *TWO, (3, "Joan", 30))
    lifecycle.reload_source(there.source)
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise Died

        patch.setattr(endings, "complete", die)
        with pytest.raises(Died):
            there.work()
    reads = len(rows.reads)
    from hedgerow.work.models import Task

    Task.objects.update(holder=None)  # what the reaper does
    there.work()
    assert there.stored() == [*TWO, (3, "Joan", 30)]
    assert len(rows.reads) == reads, "the table itself knew that the run was in"
    assert there.table().status == "Completed"
    assert there.table().table.row_count == 3  # type: ignore[union-attr]
    assert there.runs()[-1].rows_synced == (3 if settings["sync_type"] == "full_refresh" else 1)


@pytest.mark.django_db(transaction=True)
def test_a_run_cancelled_while_reading_writes_nothing(rows: Rows, project: Project) -> None:
    there = connect(project, **APPEND)
    there.work()
    rows.put("people", (3, "Joan", 30), (4, "Mary", 40))
    lifecycle.reload_source(there.source)
    rows.between = lambda: lifecycle.cancel(there.table())
    there.work()
    assert there.stored() == TWO
    assert [r.status for r in there.runs()] == [RunStatus.COMPLETED, RunStatus.CANCELLED]
    table = there.table()
    assert (table.status, table.latest_error, table.cursor_value, table.should_sync) == ("Cancelled", None, "20", True)
    rows.between = None
    lifecycle.reload_source(there.source)
    there.work()
    assert len(there.stored()) == 4


@pytest.mark.django_db(transaction=True)
def test_a_source_deleted_while_reading_stays_deleted(rows: Rows, project: Project) -> None:
    there = connect(project)
    rows.between = lambda: lifecycle.disconnect(there.source)
    there.work()
    there.source.refresh_from_db()
    assert there.source.deleted_at is not None
    assert there.source.sealed_settings == ""
    assert there.table().table is None
    from hedgerow.warehouse.models import Table

    assert not Table.objects.filter(deleted_at=None).exists()


def test_a_transient_error_is_retried_within_the_same_run(rows: Rows, project: Project) -> None:
    rows.failures = [InterruptedReadError("connection lost"), InterruptedReadError("connection lost")]
    there = connect(project)
    there.work()
    (run,) = there.runs()
    assert (run.status, run.attempts, run.latest_error) == (RunStatus.COMPLETED, 3, None)
    assert run.waited_seconds > 0
    assert there.stored() == TWO


def test_the_sources_complaint_fails_the_run_and_leaves_the_table_enabled(rows: Rows, project: Project) -> None:
    rows.failures = [SourceQueryError("division by zero")]
    there = connect(project)
    there.work()
    table = there.table()
    assert table.status == "Failed"
    assert table.should_sync
    assert "division by zero" in str(table.latest_error)
    assert there.runs()[0].latest_error == table.latest_error
    lifecycle.reload_source(there.source)
    there.work()
    assert (there.table().status, there.table().latest_error) == ("Completed", None)


def test_a_permanent_error_switches_the_table_off_and_no_secret_is_told(rows: Rows, project: Project) -> None:
    rows.failures = [CredentialsError(f"login with {SECRET} refused")]
    there = connect(project)
    there.work()
    table = there.table()
    assert (table.status, table.should_sync, table.switched_off_by_engine) == ("Failed", False, True)
    assert SECRET not in str(table.latest_error)
    assert str(table.latest_error).startswith("login with *** refused")


def test_only_three_unreachable_runs_in_a_row_switch_the_table_off(rows: Rows, project: Project) -> None:
    there = connect(project)
    for enabled_after in (True, True, False):
        rows.failures = [UnreachableError("refused")] * 3
        there.work()
        assert there.table().should_sync is enabled_after
        lifecycle.reload_table(there.table())
    there.work()
    assert there.table().unreachable_runs == 0


def test_a_bug_says_nothing_of_its_inside(rows: Rows, project: Project) -> None:
    rows.failures = [ValueError("/root/secret path")]
    there = connect(project)
    there.work()
    assert there.table().latest_error == UNEXPECTED
    assert there.table().should_sync


def test_a_run_that_cannot_tell_the_database_is_taken_up_again_and_completes(
    rows: Rows, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = connect(project)
    real, times = endings.complete, []

    def complete(*facts: Any) -> None:
        times.append(facts)
        if len(times) < 5:  # more often than a run may crash
            raise OperationalError("database or disk is full")
        real(*facts)

    monkeypatch.setattr(endings, "complete", complete)

    there.work()

    (run,) = there.runs()
    assert (run.status, run.latest_error, run.crashes, run.attempts) == (RunStatus.COMPLETED, None, 0, 5)
    assert there.stored() == TWO
    assert len(rows.reads) == 1, "the data were in after the first start"


def test_a_table_dropped_in_the_source_ends_its_run_as_failed_and_others_go_on(rows: Rows, project: Project) -> None:
    there = connect(project)
    there.work()
    del rows.tables_["people"]
    rows.put("pets", (1, "Rex", 1))
    lifecycle.reload_source(there.source)
    there.work()
    table = there.table()
    assert (table.status, table.should_sync) == ("Failed", False)
    assert "does not exist" in str(table.latest_error)
    assert table.table is not None, "what was synced stays queryable"
    found = there.table("pets")
    assert (found.should_sync, found.sync_type) == (False, None)


def test_incremental_without_a_key_fails_at_once(rows: Rows, project: Project) -> None:
    rows.tables_["people"] = pa.table({"name": ["a"], "seen": pa.array([1], pa.int64())})
    rows.keys["people"] = ()
    there = connect(project, **INCREMENTAL)
    there.work()
    assert "Primary key required for incremental syncs" in str(there.table().latest_error)
    assert not there.table().should_sync


def test_a_key_that_is_not_unique_in_the_source_fails_at_once(rows: Rows, project: Project) -> None:
    rows.unique = False
    there = connect(project, **INCREMENTAL)
    there.work()
    assert "The primary keys for this table are not unique" in str(there.table().latest_error)


def test_another_cursor_goes_on_from_its_own_greatest_value(rows: Rows, project: Project) -> None:
    there = connect(project, **INCREMENTAL)
    there.work()
    lifecycle.configure_table(there.table(), {"incremental_field": "id", "incremental_field_type": "integer"})
    rows.put("people", *TWO, (3, "Joan", 1))
    lifecycle.reload_source(there.source)
    there.work()
    assert rows.reads[-1].cursor is not None
    assert (rows.reads[-1].cursor.field, rows.reads[-1].cursor.after) == ("id", "2")
    assert len(there.stored()) == 3


def test_from_append_to_incremental_reloads_everything(rows: Rows, project: Project) -> None:
    there = connect(project, **APPEND)
    there.work()
    rows.put("people", (2, "Grace H.", 25), (1, "Ada", 10))
    lifecycle.reload_source(there.source)
    there.work()
    before = there.table()
    lifecycle.configure_table(before, {"sync_type": "incremental"})
    lifecycle.reload_source(there.source)
    there.work()
    assert there.stored() == [(1, "Ada", 10), (2, "Grace H.", 25)]
    assert there.table().table_id == before.table_id
    assert not there.table().reload_all


def test_a_process_that_keeps_dying_is_given_up(rows: Rows, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from hedgerow.sync import run

    monkeypatch.setattr(run, "execute", lambda *_: -9)
    there = connect(project)
    there.work()
    assert (there.table().status, there.table().latest_error) == ("Failed", UNEXPECTED)
    assert there.runs()[0].attempts == 3


def test_runs_go_on_after_an_older_database_was_restored_over_newer_tables(rows: Rows, project: Project) -> None:
    there = connect(project, **APPEND)
    for number in (3, 4):
        there.work()
        rows.put("people", *TWO, (3, "Joan", 30), (4, "Mary", 40))
        rows.tables_["people"] = rows.tables_["people"].slice(0, number)
        lifecycle.reload_source(there.source)
    there.work()
    SourceTable.objects.update(fence=0)
    rows.put("people", (5, "Barbara", 50))
    lifecycle.reload_source(there.source)
    there.work()
    assert there.runs()[-1].status == RunStatus.COMPLETED
    assert there.stored() == [*TWO, (3, "Joan", 30), (4, "Mary", 40), (5, "Barbara", 50)]
