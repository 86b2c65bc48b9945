"""Is anybody working, and can tables be written? Read by the health routes and `doctor`."""

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hedgerow.core.errors import BrokenError
from hedgerow.lake.storage import PROBE, Storage
from hedgerow.sources.models import SourceTable
from hedgerow.sync import names
from hedgerow.sync.erasing import location_of
from hedgerow.sync.models import Run, RunStatus
from hedgerow.work import queue


def worker_alive() -> bool:
    """Whether at least one worker has a live lease."""
    return queue.live_workers() > 0


def storage_writable(url: str) -> bool:
    """Whether tables can be written under `url`. A folder is tried without loading Arrow, which the server has not."""
    storage = Storage(url)
    try:
        if storage.is_local:
            Path(storage.root).mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=storage.root, prefix=".probe-") as probe:
                probe.write(PROBE)
                probe.flush()
        else:
            storage.check()
    except (OSError, BrokenError):
        return False
    return True


@dataclass(frozen=True)
class KnownTable:
    """A table as the database knows it. `has_data`: a run of it has completed."""

    name: str
    location: str
    fence: int
    has_data: bool
    is_running: bool


def known_tables() -> list[KnownTable]:
    """Every live table that a run has written or has begun to write."""
    running = set(Run.objects.filter(status=RunStatus.RUNNING).values_list("source_table_id", flat=True))
    tables = SourceTable.objects.filter(deleted_at=None).exclude(table_uuid=None).select_related("source")
    return [
        KnownTable(
            name=f"{t.table_name} (project {t.source.project_id})",
            location=location_of(t),
            fence=t.fence,
            has_data=t.table_id is not None,
            is_running=t.id in running,
        )
        for t in tables.order_by("table_name")
    ]


def locations_to_erase() -> set[str]:
    """Where data lies that is about to be erased."""
    return set(queue.facts_of(names.ERASE, "location"))


def forgotten_runs() -> list[str]:
    """Runs that are Running without a task in the queue: nobody would ever take them up."""
    runs = Run.objects.filter(status=RunStatus.RUNNING).select_related("source_table").order_by("created_at")
    queued = queue.subjects_of(names.SYNC)
    return [
        f"{run.source_table.name}: run {run.id}, since {run.created_at:%Y-%m-%d %H:%M:%S} UTC"
        for run in runs
        if str(run.id) not in queued
    ]


def newest_run_at() -> datetime | None:
    """When the newest run was made, by the clock of that moment."""
    return Run.objects.order_by("-created_at").values_list("created_at", flat=True).first()
