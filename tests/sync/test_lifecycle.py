"""The verbs that span rooms: what each changes, and what it leaves alone."""

from datetime import timedelta
from typing import Any

import pytest

from hedgerow.accounts.models import Project
from hedgerow.core import clock
from hedgerow.core.clock import now
from hedgerow.core.errors import BadRequestError
from hedgerow.sources.models import SourceTable
from hedgerow.sync import lifecycle, starting
from hedgerow.sync.models import Run, RunStatus
from hedgerow.warehouse.models import Table
from hedgerow.work import beat
from hedgerow.work.models import Beat, Task
from tests.sync.conftest import APPEND, INCREMENTAL, Installation, Rows, connect

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(rows: Rows, project: Project) -> Installation:
    """A source whose table `people` has been synced once."""
    made = connect(project)
    made.work()
    return made


def tasks() -> int:
    return Task.objects.filter(kind="sync").count()


def beat_of(table: SourceTable) -> Beat:
    return Beat.objects.get(subject=str(table.id))


def test_connecting_schedules_and_starts_what_is_enabled(rows: Rows, project: Project) -> None:
    made = connect(project)
    table = made.table()
    assert (table.status, tasks()) == ("Running", 1)
    assert beat_of(table).every_seconds == 6 * 3600
    assert [r.trigger for r in made.runs()] == ["first"]


def test_connecting_leaves_what_is_not_enabled_alone(rows: Rows, project: Project) -> None:
    made = connect(project, should_sync=False)
    assert (made.table().status, tasks(), Beat.objects.count()) == (None, 0, 0)


def test_a_table_that_runs_is_not_started_twice(there: Installation) -> None:
    for _ in range(10):
        lifecycle.reload_source(there.source)
        lifecycle.reload_table(there.table())
    assert tasks() == 1
    assert Run.objects.filter(status=RunStatus.RUNNING).count() == 1
    there.work()
    assert len(there.runs()) == 2


def test_reloading_a_source_without_enabled_tables_changes_nothing(there: Installation) -> None:
    lifecycle.configure_table(there.table(), {"should_sync": False})
    assert lifecycle.reload_source(there.source) == 0
    assert there.table().status == "Completed"


def test_reloading_a_disabled_table_runs_it_once_and_leaves_it_disabled(there: Installation) -> None:
    lifecycle.configure_table(there.table(), {"should_sync": False})
    lifecycle.reload_table(there.table())
    there.work()
    assert len(there.runs()) == 2
    assert not there.table().should_sync


def test_a_table_without_sync_type_cannot_run(rows: Rows, project: Project) -> None:
    made = connect(project, should_sync=False, sync_type=None)
    for verb in (lifecycle.reload_table, lifecycle.resync):
        with pytest.raises(BadRequestError, match="Sync type must be set up first before enabling schema"):
            verb(made.table())


def test_cancelling_nothing_is_refused(there: Installation) -> None:
    with pytest.raises(BadRequestError, match="No running sync to cancel"):
        lifecycle.cancel(there.table())


def test_cancelling_a_queued_run_ends_it_and_the_next_one_is_free(there: Installation) -> None:
    lifecycle.reload_table(there.table())
    lifecycle.cancel(there.table())
    assert (there.table().status, tasks()) == ("Cancelled", 0)
    assert there.runs()[-1].finished_at is not None
    lifecycle.reload_table(there.table())
    there.work()
    assert there.table().status == "Completed"


def test_resync_replaces_a_running_run_and_loads_everything(rows: Rows, project: Project) -> None:
    made = connect(project, **INCREMENTAL)
    made.work()
    rows.put("people", (9, "New", 1))
    lifecycle.reload_table(made.table())
    lifecycle.resync(made.table())
    assert made.table().reload_all
    assert len(made.stored()) == 2, "old data stays until the new load is complete"
    made.work()
    assert made.stored() == [(9, "New", 1)]
    assert [r.status for r in made.runs()] == ["Completed", "Cancelled", "Completed"]


def test_deleting_data_forgets_it_and_keeps_the_settings(rows: Rows, project: Project) -> None:
    made = connect(project, **INCREMENTAL)
    made.work()
    folder = made.table().table_uuid
    lifecycle.delete_data(made.table())
    table = made.table()
    assert (table.table, table.last_synced_at, table.status, table.cursor_value) == (None, None, None, None)
    assert (table.should_sync, table.sync_type, table.cursor_field) == (True, "incremental", "seen")
    assert not Table.objects.filter(deleted_at=None).exists()
    lifecycle.delete_data(made.table())
    lifecycle.reload_table(made.table())
    made.work()
    assert len(made.stored()) == 2
    assert made.table().table_uuid != folder


def test_deleted_data_is_erased_from_the_storage(there: Installation) -> None:
    from pathlib import Path

    from django.conf import settings

    from hedgerow.sync.erasing import location_of

    folder = Path(settings.CONFIG.storage) / location_of(there.table())
    assert folder.is_dir()
    lifecycle.delete_data(there.table())
    there.work()
    assert not folder.exists()


def test_disconnecting_removes_everything(there: Installation) -> None:
    lifecycle.reload_source(there.source)
    lifecycle.disconnect(there.source)
    there.source.refresh_from_db()
    assert there.source.deleted_at is not None
    assert there.source.sealed_settings == ""
    assert (tasks(), Beat.objects.count()) == (0, 0)
    assert not Table.objects.filter(deleted_at=None).exists()
    assert there.runs()[-1].status == RunStatus.CANCELLED


def test_a_deleted_table_comes_back_disabled_with_the_next_discovery(there: Installation) -> None:
    from hedgerow.sources import services

    old = there.table()
    lifecycle.remove_table(old)
    assert there.table().deleted_at is not None
    services.refresh(there.source)
    back = there.table()
    assert (back.id, back.deleted_at, back.should_sync, back.table) == (old.id, None, False, None)


class TestConfiguring:
    """§8.4."""

    def test_enabling_for_the_first_time_starts_at_once(self, rows: Rows, project: Project) -> None:
        made = connect(project, should_sync=False)
        lifecycle.configure_table(made.table(), {"should_sync": True})
        assert made.table().status == "Running"
        assert not beat_of(made.table()).paused

    def test_pausing_lets_the_schedule_rest_and_keeps_the_data(self, there: Installation) -> None:
        lifecycle.configure_table(there.table(), {"should_sync": False})
        assert beat_of(there.table()).paused
        assert there.table().table is not None

    def test_resuming_runs_at_once_only_when_overdue(self, there: Installation) -> None:
        for age, runs in ((timedelta(minutes=5), 1), (timedelta(hours=7), 2)):
            lifecycle.configure_table(there.table(), {"should_sync": False})
            SourceTable.objects.update(last_synced_at=now() - age)
            lifecycle.configure_table(there.table(), {"should_sync": True})
            assert len(there.runs()) == runs

    @pytest.mark.parametrize(
        ("changes", "every", "offset"),
        [
            ({"sync_frequency": "1hour"}, 3600, None),
            ({"sync_frequency": "24hour", "sync_time_of_day": "13:30:00"}, 86400, 48600),
            ({"sync_time_of_day": "00:00:00"}, 21600, 0),
        ],
    )
    def test_frequency_and_time_change_the_schedule_and_start_nothing(
        self, there: Installation, changes: dict[str, Any], every: int, offset: int | None
    ) -> None:
        lifecycle.configure_table(there.table(), changes)
        changed = beat_of(there.table())
        assert changed.every_seconds == every
        assert offset is None or changed.offset_seconds == offset
        assert len(there.runs()) == 1

    def test_never_has_no_schedule_but_can_be_reloaded(self, there: Installation) -> None:
        lifecycle.configure_table(there.table(), {"sync_frequency": "never"})
        assert not Beat.objects.exists()
        lifecycle.reload_table(there.table())
        there.work()
        assert len(there.runs()) == 2

    def test_a_due_table_runs_and_a_running_one_is_skipped(self, there: Installation) -> None:
        for expected in (2, 2):
            Beat.objects.update(next_at=now() - timedelta(days=3))
            assert beat.strike() == 1
            assert len(there.runs()) == expected
        assert there.runs()[-1].trigger == "schedule"

    def test_nothing_changes_when_one_value_is_refused(self, there: Installation) -> None:
        with pytest.raises(BadRequestError):
            lifecycle.configure_table(there.table(), {"sync_frequency": "1hour", "sync_type": "cdc"})
        assert there.table().frequency == "6hour"
        assert beat_of(there.table()).every_seconds == 6 * 3600

    def test_a_cursor_that_is_not_in_the_table_reloads_everything_at_once(self, rows: Rows, project: Project) -> None:
        import pyarrow as pa

        made = connect(project, **APPEND)
        made.work()
        rows.tables_["people"] = rows.tables_["people"].append_column("again", pa.array([1, 2], pa.int64()))
        from hedgerow.sources import services

        services.refresh(made.source)
        lifecycle.configure_table(made.table(), {"incremental_field": "again", "incremental_field_type": "integer"})
        assert (made.table().status, made.table().reload_all) == ("Running", True)
        made.work()
        assert made.stored() == [(1, "Ada", 10, 1), (2, "Grace", 20, 2)]


def test_jobs_are_listed_newest_first_within_times_and_names(there: Installation) -> None:
    lifecycle.reload_source(there.source)
    there.work()
    first, second = there.runs()
    assert [r.id for r in lifecycle.jobs(there.source)] == [second.id, first.id]
    assert [r.id for r in lifecycle.jobs(there.source, before=second.created_at)] == [first.id]
    assert [r.id for r in lifecycle.jobs(there.source, after=first.created_at)] == [second.id]
    assert lifecycle.jobs(there.source, names=["other"]) == []


def test_a_clock_set_back_keeps_jobs_in_the_order_they_were_made(
    there: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (clock, starting):
        monkeypatch.setattr(module, "now", lambda: now() - timedelta(hours=3))
    (first,) = there.runs()
    made = [first.id]
    for _ in range(3):
        lifecycle.reload_table(there.table())
        there.work()
        made.append(Run.objects.exclude(id__in=made).get().id)

    listed = lifecycle.jobs(there.source)

    assert [run.id for run in listed] == made[::-1]
    assert [run.id for run in lifecycle.jobs(there.source, before=listed[1].created_at)] == made[1::-1]
    assert all(run.finished_at is not None and run.finished_at >= run.created_at for run in listed)


def test_at_most_fifty_jobs_are_listed(there: Installation) -> None:
    table = there.table()
    Run.objects.bulk_create([Run(source_table=table, status=RunStatus.COMPLETED) for _ in range(60)])
    assert len(lifecycle.jobs(there.source)) == 50
