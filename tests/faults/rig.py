"""An installation that things happen to, and the invariants that hold once it is quiet again."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psutil
from deltalake import DeltaTable

from tests.faults.world import CURSORS, TABLES, World, fingerprint
from tests.support import leftovers
from tests.support.postgres import PostgresDatabase
from tests.support.server import Server

QUIET_SECONDS: Final = 90
QUERY_PROCESSES: Final = 1
_STATUSES: Final = {"Running", "Completed", "Failed", "Cancelled"}
_JOBS: Final = """
select t.name, r.status, r.rows_synced, r.latest_error, r.finished_at is null, t.status, r.attempts
from sync_run r join sources_sourcetable t on t.id = r.source_table_id order by r.created_at, r.id
"""


class Job:
    """A run as the metadata has it."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.table, self.status, self.rows, self.error, self.is_open, self.table_status, self.attempts = row


class Rig:
    """A server over a world, after its first runs. `metadata` is where it keeps its own tables; None: SQLite.

    `port` is where it finds the source, if something lies between.
    """

    def __init__(
        self, server: Server, world: World, metadata: PostgresDatabase | None = None, port: int | None = None
    ) -> None:
        self.server, self.world, self.metadata = server, world, metadata
        self.workers: list[subprocess.Popen[bytes]] = []
        schemas = [{"name": name, "should_sync": True, **facts} for name, facts in TABLES.items()]
        payload = {**world.database.settings(port=port or world.database.server.port), "schemas": schemas}
        self.source = server.api("POST", "external_data_sources/", {"source_type": "Postgres", "payload": payload})
        self._resting: set[int] = set()
        self.quiet()

    def add_worker(self) -> None:
        """A `hedgerow worker` beside the server."""
        command = [sys.executable, "-m", "hedgerow.cli.main", "worker"]
        with self.server.log.open("a") as log:
            self.workers.append(subprocess.Popen(command, env=self.server.environment, stdout=log, stderr=log))

    def close(self) -> None:
        """End the workers; the server ends with its own context."""
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def ledger(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the metadata, read beside Hedgerow."""
        if self.metadata:
            return self.metadata.execute(sql)
        file = f"file:{self.server.folder}/hedgerow.sqlite3?mode=ro"
        with closing(sqlite3.connect(file, uri=True, timeout=30)) as embedded:
            return embedded.execute(sql).fetchall()

    def jobs(self) -> list[Job]:
        """All runs, oldest first."""
        return [Job(row) for row in self.ledger(_JOBS)]

    def reload(self, table: str = "") -> None:
        """Ask for a run of a table, or of all."""
        path = f"external_data_sources/{self.source['id']}/reload/"
        if table:
            schema = next(s["id"] for s in self.source["schemas"] if s["name"] == table)
            path = f"external_data_schemas/{schema}/reload/"
        path = f"/api/environments/{self.server.project}/{path}"
        self.server.until(lambda: 200 <= self.server.request("POST", path).status < 300, QUIET_SECONDS)

    def folder(self, table: str) -> Path:
        """Where the copy of a table lies."""
        (found,) = self.server.folder.glob(f"tables/*/postgres_{table}-*")
        return found

    # ---- processes ----------------------------------------------------------------------------------------------

    def processes(self) -> list[psutil.Process]:
        """Every process of this installation, whoever its parent is now."""
        return [p for p in psutil.process_iter() if _is_part_of(p, self.server.folder)]

    def helpers(self) -> list[psutil.Process]:
        """The processes that runs and queries are forked from."""
        return [p for p in self.processes() if _is_helper(p) and not _is_helper(_parent(p))]

    def forked(self) -> list[psutil.Process]:
        """The processes of runs and queries, those whose helper has died among them."""
        helpers = {p.pid for p in self.helpers() if p.ppid() in self._roots()}
        return [p for p in self.processes() if _is_helper(p) and p.pid not in helpers]

    def children(self) -> list[psutil.Process]:
        """The processes of runs: forked since all was quiet."""
        return [p for p in self.forked() if p.pid not in self._resting]

    def _roots(self) -> set[int]:
        return {self.server.pid, *(worker.pid for worker in self.workers)}

    # ---- quiet, and what is true then ----------------------------------------------------------------------------

    def quiet(self, seconds: float = QUIET_SECONDS) -> None:
        """Wait until nothing runs and nothing is queued. At no moment does a table have two running runs."""
        self.server.until(self._is_quiet, seconds, 0.1)
        self._resting = {p.pid for p in self.forked()}

    def _is_quiet(self) -> bool:
        running = [job.table for job in self.jobs() if job.status == "Running"]
        assert len(running) == len(set(running)), f"two runs at once: {running}"
        return not running and not self.ledger("select 1 from work_task")

    def check_ended(self) -> None:
        """Every job is terminal and its table shows it; nothing is left in the source, and no process."""
        newest: dict[str, Job] = {}
        for job in self.jobs():
            newest[job.table] = job
            assert job.status in _STATUSES - {"Running"}
            assert not job.is_open, "an ended job has no end"
            assert bool(job.error) == (job.status == "Failed"), (job.status, job.error)
        assert {name: job.table_status for name, job in newest.items()} == {n: j.status for n, j in newest.items()}
        assert set(newest) == set(TABLES)
        self.server.until(lambda: not self.world.sessions(), 10)
        self.server.until(lambda: len(self.forked()) <= QUERY_PROCESSES, 10)

    def check_copies(self, tables: Iterable[str] = TABLES) -> None:
        """After a run of them: copies equal the source, the cursor is where the data is."""
        jobs = self.jobs()
        for table in tables:
            mine = [job for job in jobs if job.table == table]
            assert mine[-1].status == "Completed", mine[-1].error
            folder = self.folder(table)
            assert leftovers.missing(folder) == []
            assert self.copy(table) == self.world.truth(table), f"{table} differs from its source"
            if table == "events":
                added = sum(job.rows for job in mine if job.status == "Completed")
                assert added == sum(row[1] for row in self.world.truth(table)), "rows were added that no job tells of"
            elif TABLES[table]["sync_type"] == "full_refresh":
                assert mine[-1].rows == self.world.rows(table)
            if table in CURSORS:
                self._check_cursor(table, folder)

    def copy(self, table: str) -> list[list[Any]]:
        """The fingerprint of a table's copy. To be asked for while all is quiet."""
        rows = self.server.sql(fingerprint(table))
        self._resting = {p.pid for p in self.forked()}  # the query may have got a new process
        return [[int(value) for value in row] for row in rows]

    def _check_cursor(self, table: str, folder: Path) -> None:
        """The log says how far the data goes, the database says the same, and it is true."""
        logged = next(e["hedgerow.cursor"] for e in DeltaTable(folder).history() if "hedgerow.cursor" in e)
        value = json.loads(logged)["value"]
        (told,) = self.ledger(f"select cursor_value from sources_sourcetable where name = '{table}'")
        assert told == (value,)
        assert self.world.is_furthest(table, value), f"the cursor {value} is not where the data ends"

    def check_tidy(self) -> None:
        """Once the time of grace has passed, a run takes away what killed ones left behind."""
        for table in TABLES:
            leftovers.age(self.folder(table), 48)
        self.world.change()
        self.reload()
        self.quiet()
        self.check_copies()
        for table in TABLES:
            assert leftovers.orphans(self.folder(table)) == []


def _is_part_of(process: psutil.Process, folder: Path) -> bool:
    try:
        mine = process.environ().get("HEDGEROW_DATA_DIR") == str(folder)
        return mine and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _parent(process: psutil.Process) -> psutil.Process | None:
    try:
        return process.parent()
    except psutil.Error:
        return None


def _is_helper(process: psutil.Process | None) -> bool:
    """Whether it is a fork server, or forked from one: those keep its command line."""
    try:
        return process is not None and any("multiprocessing.forkserver" in part for part in process.cmdline())
    except psutil.Error:
        return False
