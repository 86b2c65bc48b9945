"""The metadata database, and by what it says: workers, runs, the queue, the clock."""

from datetime import datetime, timedelta
from typing import Final

from hedgerow.cli.checkup.report import Check, judged
from hedgerow.cli.installation import database_name
from hedgerow.core.clock import now
from hedgerow.core.config import Config

STUCK_AFTER: Final = timedelta(minutes=10)
CLOCK_TOLERANCE: Final = timedelta(seconds=30)


def migrations(config: Config) -> Check:
    from hedgerow.server import boot

    pending = boot.pending_migrations()
    if pending:
        do = "Run `hedgerow migrate`, or start `hedgerow serve`, which does it."
        return Check("database", False, f"{database_name(config)} lacks {len(pending)} migration(s)", do)
    return Check("database", True, f"{database_name(config)} is up to date")


def holders(config: Config) -> Check:
    """Who has the data folder: of an embedded installation one server and one worker at most."""
    from hedgerow.server import boot

    if config.database_url:
        return Check("in use by", True, "any number of servers and workers: the database is PostgreSQL")
    held = {role: boot.holder(config.data_dir, role) for role in ("server", "worker", "backup")}
    found = ", ".join(f"{role}: process {process}" for role, process in held.items() if process)
    return Check("in use by", True, found or "nobody")


def worker() -> Check:
    from hedgerow.work.queue import live_workers

    alive = live_workers()
    return Check("worker", alive > 0, f"{alive} alive", "Start `hedgerow serve` or `hedgerow worker`.")


def leases() -> Check:
    """Workers that ended without a word, and what they left."""
    from hedgerow.work import leases

    silent = [
        f"{name} (silent since {until:%Y-%m-%d %H:%M:%S} UTC, {held} task(s))" for name, until, held in leases.silent()
    ]
    return judged(
        "leases",
        silent,
        well="no worker ended without a word",
        wrong="worker(s) ended without a word, or cannot write the database",
        do="Nothing if a worker runs or is started: it takes the tasks up. Else start `hedgerow serve`.",
    )


def runs() -> Check:
    from hedgerow.sync import health

    left = health.forgotten_runs()
    return judged(
        "runs",
        left,
        well="every running run has somebody who works on it, or waits for its turn",
        wrong="run(s) are Running and nobody works on them",
        do="Start `hedgerow serve` or `hedgerow worker`. If one runs, cancel the run of that table and reload it.",
    )


def queue() -> Check:
    from hedgerow.work.queue import waiting_since

    stuck = waiting_since(now() - STUCK_AFTER)
    found = f"{stuck} task(s) have waited for more than {STUCK_AFTER.seconds // 60} minutes"
    return Check("queue", stuck == 0, found, "Look at the worker's log; raise HEDGEROW_WORKERS if it is only busy.")


def clock(config: Config) -> Check:
    """This machine's clock beside the database's, and beside the times that are stored."""
    from hedgerow.sync import health

    faults = []
    if config.database_url:
        off = _database_time() - now()
        if abs(off) > CLOCK_TOLERANCE:
            faults.append(f"the database's clock differs by {off.total_seconds():+.0f} s")
    newest = health.newest_run_at()
    if newest is not None and newest - now() > CLOCK_TOLERANCE:
        faults.append(f"the newest job is of {newest:%Y-%m-%d %H:%M:%S} UTC, which is still to come")
    return judged(
        "clock",
        faults,
        well=f"{now():%Y-%m-%d %H:%M:%S} UTC, nothing stored is later",
        wrong="sign(s) that a clock is or was wrong",
        do="Set the clocks of all machines by NTP. If this one is right now, times settle as it catches up.",
    )


def _database_time() -> datetime:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        told: datetime = cursor.fetchone()[0]
    return told
