"""Reading one PostgreSQL table as Arrow batches: one snapshot, exact types, bounded memory.

The control connection (psycopg) opens a snapshot, plans the read in it and exports it. Each worker is a thread that
pulls from a DuckDB session with one PostgreSQL connection of its own, which imports the snapshot and copies ranges of
the table's pages in binary form (`postgres_query`). DuckDB gets no threads of its own: a second one only spins while
the first waits for the server, and two workers are as fast as DuckDB's own table scan, but with our expressions.
"""

import contextlib
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import duckdb
import duckdb_extension_postgres_scanner
import pyarrow as pa

from hedgerow.connectors.contract import Loss, Reading, ReadRequest
from hedgerow.connectors.kits.sql import pg_catalog, pg_decode, pg_plan
from hedgerow.connectors.kits.sql.pg_catalog import literal
from hedgerow.connectors.kits.sql.pg_connect import Target, connect_error, query_error, reported_error
from hedgerow.core.errors import InterruptedReadError, MissingError, OutsideError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

Item: TypeAlias = pa.RecordBatch | BaseException | None
WORKERS: Final = 2
JOIN_SECONDS: Final = 10.0
SESSION: Final = (
    "set local timezone = 'UTC'",
    "set local datestyle = 'ISO'",
    "set local intervalstyle = 'iso_8601'",
    "set local bytea_output = 'hex'",
    "set local extra_float_digits = 1",
    "set local client_encoding = 'UTF8'",
    "set local statement_timeout = 0",
    "set local idle_in_transaction_session_timeout = 0",
)
NOTICE_OUR_END: Final = "set local client_connection_check_interval = '2s'"
"""Makes a server end a query whose client has died. Newer servers on most systems know it."""


@dataclass
class _Job:
    """What the workers share: the queries left, and batches, an error, or None for a worker's end on their way out."""

    plan: pg_plan.ReadPlan
    queries: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    out: queue.Queue[Item] = field(default_factory=lambda: queue.Queue(1))
    stopped: threading.Event = field(default_factory=threading.Event)
    losses: dict[str, Loss] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, item: Item) -> None:
        """Hand over an item, unless nobody wants it any more."""
        while not self.stopped.is_set():
            with contextlib.suppress(queue.Full):
                self.out.put(item, timeout=0.1)
                return

    def take(self) -> Item:
        """The next item. InterruptedReadError when the read was left while there was more to come."""
        while not self.stopped.is_set():
            with contextlib.suppress(queue.Empty):
                return self.out.get(timeout=0.1)
        raise InterruptedReadError("The read was stopped.")

    def count(self, column: str, reason: str, values: int) -> None:
        """Note values that became null."""
        if values:
            with self.lock:
                self.losses.setdefault(column, Loss(reason)).count += values


@contextmanager
def read(where: Target, schema: str, request: ReadRequest) -> Iterator[Reading]:
    """Open a table. See `contract.Connector.read`."""
    import psycopg

    with contextlib.closing(where.connect()) as control:
        try:
            session = _begin(control)
            encoding = control.info.parameter_status("server_encoding") or ""
            plan = pg_plan.make(control, _relation(control, schema, request.table), request, encoding)
            snapshot = _export(control)
        except psycopg.Error as error:
            raise query_error(error) from None
        job = _Job(plan)
        for query in plan.queries:
            job.queries.put(query)
        with _workers(where, control, job, (snapshot, *session), request.memory_mib) as count:
            arrow_schema = pa.schema([(c.name, pg_decode.arrow_type(c.plan)) for c in plan.columns])
            reading = Reading(schema=arrow_schema, batches=iter(()), losses=job.losses)
            reading.batches = _batches(job, reading, count)
            yield reading


def _begin(control: "Connection") -> tuple[str, ...]:
    """Open the snapshot; answers the settings of this session, for the workers' sessions."""
    import psycopg

    control.execute("set transaction isolation level repeatable read, read only")
    for statement in SESSION:
        control.execute(statement.encode())
    try:
        with control.transaction():
            control.execute(NOTICE_OUR_END.encode())
    except psycopg.Error:
        return SESSION
    return (*SESSION, NOTICE_OUR_END)


def _relation(control: "Connection", schema: str, name: str) -> pg_catalog.Relation:
    found = pg_catalog.relations(control, schema, name)
    if not found:
        raise MissingError(f'relation "{schema}.{name}" does not exist')
    return found[0]


def _export(control: "Connection") -> str:
    """The statement that makes another session see exactly this snapshot; empty where the server cannot share one."""
    import psycopg

    try:
        row = control.execute("select pg_export_snapshot()").fetchone()
    except psycopg.Error:
        control.rollback()
        return ""
    return f"set transaction snapshot {literal(row[0])}" if row else ""


@contextmanager
def _workers(
    where: Target, control: "Connection", job: _Job, session: tuple[str, ...], memory_mib: int
) -> Iterator[int]:
    """Start the workers, and see to their end: nothing runs on the server, and no thread here, afterwards."""
    count = min(WORKERS if session[0] else 1, len(job.plan.queries))
    db = _duckdb(memory_mib)
    cursors = [db.cursor() for _ in range(count)]
    threads = [threading.Thread(target=_work, args=(c, f"pg{i}", job), daemon=True) for i, c in enumerate(cursors)]
    backends: list[int] = []
    try:
        for i, cursor in enumerate(cursors):
            backends.append(_attach(cursor, f"pg{i}", where, session))
        for thread in threads:
            thread.start()
        yield count
    except duckdb.Error as error:
        raise connect_error(str(error), tunnelled=where.tunnelled) from None
    finally:
        job.stopped.set()
        if any(thread.is_alive() for thread in threads):
            _end_backends(where, control, backends)
        _close(db, cursors, [thread for thread in threads if thread.ident])


def _close(
    db: duckdb.DuckDBPyConnection, cursors: list[duckdb.DuckDBPyConnection], threads: list[threading.Thread]
) -> None:
    """Close the sessions, unless a thread is still inside one because the server does not answer."""
    for thread in threads:
        thread.join(JOIN_SECONDS)
    if not any(thread.is_alive() for thread in threads):
        for session in (*cursors, db):
            session.close()


def _duckdb(memory_mib: int) -> duckdb.DuckDBPyConnection:
    """A session with the extension of the installed wheel, its signature checked, that downloads nothing."""
    folder = Path(duckdb_extension_postgres_scanner.__file__).parent
    extension = next(folder.glob("extensions/*/postgres_scanner.duckdb_extension"))
    db = duckdb.connect(
        config={
            "threads": 1,
            "memory_limit": f"{memory_mib}MiB",
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    db.execute(f"load {_duckdb_text(str(extension))}")
    db.execute("set pg_pool_max_connections = 0")
    return db


def _attach(cursor: duckdb.DuckDBPyConnection, alias: str, where: Target, session: tuple[str, ...]) -> int:
    """Connect a worker and put it into the shared snapshot; answers its process id on the server."""
    cursor.execute(f"attach {_duckdb_text(where.conninfo)} as {alias} (type postgres, read_only)")
    cursor.execute("begin")
    for statement in filter(None, session):
        cursor.execute(f"call postgres_execute('{alias}', {_duckdb_text(statement)})")
    row = cursor.execute(f"from postgres_query('{alias}', 'select pg_backend_pid() as pid')").fetchone()
    return int(row[0]) if row else 0


def _work(cursor: duckdb.DuckDBPyConnection, alias: str, job: _Job) -> None:
    """Run queries until there are none left."""
    try:
        while not job.stopped.is_set():
            query = job.queries.get_nowait()
            answer = cursor.execute(f"from postgres_query('{alias}', {_duckdb_text(query)})")
            for batch in answer.to_arrow_reader(job.plan.batch_rows):
                job.put(_decode(batch, job))
    except queue.Empty:
        job.put(None)
    except BaseException as error:  # raised again by whoever takes it
        job.put(error)


def _decode(batch: pa.RecordBatch, job: _Job) -> pa.RecordBatch:
    arrays = [
        pg_decode.decode(values, column.plan, partial(job.count, column.name))
        for values, column in zip(batch.columns, job.plan.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in job.plan.columns])


def _batches(job: _Job, reading: Reading, workers: int) -> Iterator[pa.RecordBatch]:
    """What the workers hand over, until all have ended; keeps `cursor_to` up to date."""
    plan, best = job.plan, None
    place = plan.columns.index(plan.cursor) if plan.cursor else None
    while workers:
        item = job.take()
        if item is None:
            workers -= 1
        elif isinstance(item, BaseException):
            raise _outside(item)
        else:
            if place is not None and plan.cursor is not None:
                best = pg_decode.furthest(best, item.column(place))
                reading.cursor_to = None if best is None else pg_decode.source_text(best, plan.cursor.plan)
            yield item


def _outside(error: BaseException) -> BaseException:
    if isinstance(error, duckdb.Error) and not isinstance(error, duckdb.OutOfMemoryException):
        return reported_error(str(error))
    return error


def _end_backends(where: Target, control: "Connection", backends: list[int]) -> None:
    """Have the server end the workers' sessions, whatever they are doing. Needs no right: they are of the same role."""
    import psycopg

    try:
        control.rollback()
        control.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) as pid", [backends])
    except psycopg.Error:
        with contextlib.suppress(psycopg.Error, OutsideError), contextlib.closing(where.connect()) as another:
            another.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) as pid", [backends])


def _duckdb_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
