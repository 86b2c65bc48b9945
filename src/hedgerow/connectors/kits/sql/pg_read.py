"""Reading one PostgreSQL table as Arrow batches: one snapshot, exact types, bounded memory.

The control connection (psycopg) opens a snapshot, plans the read in it and exports it. Each worker is a thread that
pulls from a DuckDB session with one PostgreSQL connection of its own, which imports the snapshot and copies ranges of
the table's pages in binary form (`postgres_query`). Two workers are as fast as DuckDB's own scan of an attached table,
which decodes some values wrongly and lets nobody say how they are to be asked for. Few or very wide rows are read by
one worker with psycopg instead.
"""

import contextlib
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa

from hedgerow.connectors.contract import Reading, ReadRequest
from hedgerow.connectors.kits.sql import pg_catalog, pg_decode, pg_late, pg_plan
from hedgerow.connectors.kits.sql.losses import Tally
from hedgerow.connectors.kits.sql.pg_connect import LOST, Target, query_error
from hedgerow.connectors.kits.sql.pg_decode import Lost
from hedgerow.connectors.kits.sql.pg_rows import RowSession
from hedgerow.connectors.kits.sql.pg_session import Session, end_queries, engine
from hedgerow.connectors.kits.sql.pg_shape import Shape
from hedgerow.connectors.kits.sql.pg_types import TEXT
from hedgerow.core.errors import InterruptedReadError, MissingError, SourceQueryError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

Item: TypeAlias = tuple[pa.RecordBatch, dict[str, Lost]] | BaseException | None
WORKERS: Final = 2
SETTINGS: Final = (
    "set local timezone = 'UTC'",
    "set local datestyle = 'ISO'",
    "set local intervalstyle = 'iso_8601'",
    "set local bytea_output = 'hex'",
    "set local extra_float_digits = 1",
    "set local client_encoding = 'UTF8'",
    "set local statement_timeout = 0",
    "set local idle_in_transaction_session_timeout = 0",
)
NEWER_SETTINGS: Final = (
    "set local client_connection_check_interval = '2s'",  # ends a query whose client has died
    "set local transaction_timeout = 0",
)
"""What not every server knows, or allows on its system."""


@dataclass
class _Job:
    """What the workers share: the queries left, and batches, an error, or None for a worker's end on their way out."""

    plan: pg_plan.ReadPlan
    shape: Shape
    late: pg_late.Late | None
    queries: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    out: queue.Queue[Item] = field(default_factory=lambda: queue.Queue(1))
    stopped: threading.Event = field(default_factory=threading.Event)
    done: int = 0
    """Workers whose end was taken."""

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


@contextmanager
def read(where: Target, schema: str, request: ReadRequest) -> Iterator[Reading]:
    """Open a table. See `contract.Connector.read`."""
    import psycopg

    with contextlib.closing(where.connect()) as control:
        try:
            looked = pg_late.look(control) if request.cursor else None
            settings = _begin(control)
            snapshot = _export(control)
            relation = _relation(control, schema, request.table)
            late = _late(control, relation, request, looked) if snapshot else None
            encoding = control.info.parameter_status("server_encoding") or ""
            plan = pg_plan.make(control, relation, request, encoding, late)
        except psycopg.Error as error:
            raise query_error(error) from None
        job = _Job(plan, Shape(plan, keeps_text=request.bad_values == "keep_text"), late)
        for query in plan.queries:
            job.queries.put(query)
        with _workers(where, control, job, (*snapshot, *settings), request.memory_mib, WORKERS if snapshot else 1) as n:
            tally = Tally(request, request.key or pg_catalog.offer(relation).key)
            reading = Reading(job.shape.schema, iter(()), tally.losses, identity=relation.identity)
            reading.batches = where.watch.over(_batches(control, job, reading, tally, n))
            with where.watch.at_rest():
                yield reading


def _begin(control: "Connection") -> tuple[str, ...]:
    """Open the snapshot; answers the settings of this session, for the workers' sessions."""
    import psycopg

    control.execute("set transaction isolation level repeatable read, read only")
    for statement in SETTINGS:
        control.execute(statement.encode())
    known = list(SETTINGS)
    for statement in NEWER_SETTINGS:
        with contextlib.suppress(psycopg.Error), control.transaction():
            control.execute(statement.encode())
            known.append(statement)
    return tuple(known)


def _relation(control: "Connection", schema: str, name: str) -> pg_catalog.Relation:
    found = pg_catalog.relations(control, schema, name)
    if not found:
        raise MissingError(f'relation "{schema}.{name}" does not exist')
    return found[0]


def _late(
    control: "Connection", relation: pg_catalog.Relation, request: ReadRequest, looked: pg_late.Look | None
) -> pg_late.Late | None:
    column = pg_plan.cursor_column(relation, request)
    return pg_late.start(control, relation, column, request.cursor, looked) if column and request.cursor else None


def _export(control: "Connection") -> tuple[str, ...]:
    """The statement that makes another session see exactly this snapshot; none where the server cannot share one.

    To be asked first: an error ends the snapshot, and another is opened.
    """
    import psycopg

    try:
        row = control.execute("select pg_export_snapshot()").fetchone()
    except psycopg.Error:
        control.rollback()
        _begin(control)
        return ()
    return (f"set transaction snapshot {pg_catalog.literal(row[0])}",) if row else ()


@contextmanager
def _workers(
    where: Target, control: "Connection", job: _Job, settings: tuple[str, ...], memory_mib: int, most: int
) -> Iterator[int]:
    """Start the workers, and see to their end: nothing runs on the server, and no thread here, afterwards."""
    count = min(most, len(job.plan.queries))
    threads: list[threading.Thread] = []
    with contextlib.ExitStack() as stack:
        sessions = _sessions(stack, where, job.plan, settings, memory_mib, count)
        try:
            for session in sessions:
                threads.append(threading.Thread(target=_work, args=(session, job), name="pg-read", daemon=True))
                threads[-1].start()
            yield count
        finally:
            job.stopped.set()
            backends = [session.backend for session in sessions]
            if job.done < count and not end_queries(where, control, backends, threads):
                stack.pop_all()  # a thread is still inside a session: closing it would crash


def _sessions(
    stack: contextlib.ExitStack,
    where: Target,
    plan: pg_plan.ReadPlan,
    settings: tuple[str, ...],
    memory_mib: int,
    count: int,
) -> list[Session | RowSession]:
    """Open the sessions, each in the snapshot; `stack` closes them."""
    if plan.by_rows:
        columns = [column.plan for column in plan.columns] + [pg_late.ID] * plan.has_ids + [TEXT] * bool(plan.checked)
        return [stack.enter_context(contextlib.closing(RowSession(where, settings, columns))) for _ in range(count)]
    db = stack.enter_context(contextlib.closing(engine(memory_mib)))
    return [
        stack.enter_context(contextlib.closing(Session(db, f"pg{place}", where, settings))) for place in range(count)
    ]


def _work(session: Session | RowSession, job: _Job) -> None:
    """Run queries until there are none left. When nobody wants more, the query is left to be cancelled."""
    try:
        while not job.stopped.is_set():
            for batch in session.batches(job.queries.get_nowait(), job.plan.batch_rows):
                decoded, lost = job.shape.decode(batch)
                if job.late and job.plan.cursor and job.plan.has_ids:
                    columns = job.plan.columns
                    job.late.note(decoded.column(columns.index(job.plan.cursor)), batch.column(len(columns)))
                job.put((decoded, lost))
    except queue.Empty:
        job.put(None)
    except BaseException as error:  # raised again by whoever takes it
        job.put(error)


def _batches(
    control: "Connection", job: _Job, reading: Reading, tally: Tally, workers: int
) -> Iterator[pa.RecordBatch]:
    """What the workers hand over, until all have ended; keeps `cursor_to` and the losses up to date."""
    plan, best = job.plan, None
    place = plan.columns.index(plan.cursor) if plan.cursor else None
    while job.done < workers:
        item = job.take()
        if item is None:
            job.done += 1
        elif isinstance(item, SourceQueryError) and _is_lost(control):
            raise InterruptedReadError(LOST)
        elif isinstance(item, BaseException):
            raise item
        else:
            batch, lost = item
            tally.add(batch, lost)
            if place is not None and plan.cursor is not None:
                best = pg_decode.furthest(best, batch.column(place))
                reading.cursor_to = None if best is None else pg_decode.source_text(best, plan.cursor.plan)
            yield batch
    if job.late:
        _finish(control, job.late, reading)


def _finish(control: "Connection", late: pg_late.Late, reading: Reading) -> None:
    """All is read: tell how far it went, and what the next reading must be told."""
    import psycopg

    try:
        reading.cursor_to, seen, reading.seen_moved = late.finish(control, reading.cursor_to)
    except psycopg.Error as error:
        raise query_error(error) from None
    reading.seen = seen.dump() if seen else None


def _is_lost(control: "Connection") -> bool:
    """Whether the server is gone: then what a worker was told, perhaps in another language, is no complaint."""
    import psycopg

    try:
        control.execute("select 1")
    except psycopg.Error:
        return True
    return False
