"""Counters of a run, written about once a second; every write also asks whether the run is still ours."""

import time

from hedgerow.sync.models import Run, RunStatus

PERIOD_SECONDS = 0.7


class Superseded(Exception):  # noqa: N818 - not an error
    """The run was cancelled, deleted, or started anew elsewhere: this start must not write any more."""


def write(run: Run, **changes: object) -> None:
    """Change the run's row if this start still owns it. Raises Superseded."""
    mine = Run.objects.filter(id=run.id, fence=run.fence, status=RunStatus.RUNNING)
    if not mine.update(**changes):
        raise Superseded


class Counter:
    """Counts rows and tells the database now and then."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._told = time.monotonic()
        self.rows = 0

    def add(self, rows: int) -> None:
        """`rows` more have been written. Raises Superseded."""
        self.rows += rows
        if time.monotonic() - self._told >= PERIOD_SECONDS:
            self._told = time.monotonic()
            write(self._run, rows_synced=self.rows)
