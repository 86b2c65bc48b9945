"""DuckDB sessions that each hold one PostgreSQL connection in a transaction, and their safe end."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import duckdb_extension_postgres_scanner
import pyarrow as pa

from hedgerow.connectors.kits.sql.pg_connect import LOST, Target, connect_error, reported_error
from hedgerow.core.errors import InterruptedReadError, OutsideError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

CANCEL_SECONDS: Final = 2.0
"""How long queries are asked to end before their sessions are cut off."""
FUSE: Final = 4
"""Times the memory allowed: rows of unforeseen width take more for a moment rather than fail the run."""
GIVE_UP_SECONDS: Final = 15.0


def engine(memory_mib: int) -> duckdb.DuckDBPyConnection:
    """DuckDB with the extension of the installed wheel, its signature checked; it downloads and spills nothing.

    It gets no threads of its own: a second one only spins while the first waits for the server.
    """
    folder = Path(duckdb_extension_postgres_scanner.__file__).parent
    extension = next(folder.glob("extensions/*/postgres_scanner.duckdb_extension"))
    db = duckdb.connect(
        config={
            "threads": 1,
            "memory_limit": f"{memory_mib * FUSE}MiB",
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    db.execute(f"load {_text(str(extension))}")
    db.execute("set pg_pool_max_connections = 0")
    return db


class Session:
    """One connection. `backend` is its process id on the server. Must be closed, in whatever state it is."""

    def __init__(self, db: duckdb.DuckDBPyConnection, name: str, where: Target, settings: Sequence[str]) -> None:
        """Connect, begin a read-only transaction of one snapshot, and run `settings` in it, in order."""
        self._name = name
        self._cursor = db.cursor()
        where.watch.add_all()
        try:
            self._cursor.execute(f"attach {_text(where.conninfo)} as {name} (type postgres, read_only)")
            self._cursor.execute("begin")
            for statement in settings:
                self._cursor.execute(f"call postgres_execute('{name}', {_text(statement)})")
            row = self._cursor.execute(f"from postgres_query('{name}', 'select pg_backend_pid() as pid')").fetchone()
        except duckdb.Error as error:
            self.close()
            # Not chained: the text may hold the connection string.
            raise connect_error(str(error), tunnelled=where.tunnelled) from None
        self.backend = int(row[0]) if row else 0

    def batches(self, query: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The answer in batches of about so many rows. Raises OutsideError kinds with the database's own message."""
        try:
            answer = self._cursor.execute(f"from postgres_query('{self._name}', {_text(query)})")
            yield from answer.to_arrow_reader(rows)
        except duckdb.OutOfMemoryException:
            raise
        except (duckdb.Error, pa.ArrowException, OSError) as error:  # OSError: how Arrow hands on what DuckDB raised
            raise reported_error(str(error)) from None
        except UnicodeDecodeError:  # the complaint quotes what came: it was no PostgreSQL that sent it
            raise InterruptedReadError(LOST) from None

    def close(self) -> None:
        """End the transaction and the connection.

        The rollback comes first and may fail: left to DuckDB, a lost connection aborts the whole process then.
        """
        with contextlib.suppress(duckdb.Error):
            self._cursor.execute("rollback")
        self._cursor.close()


def end_queries(where: Target, control: "Connection", backends: list[int], threads: list[threading.Thread]) -> bool:
    """Have the server end what the sessions are doing, until all threads have ended; False when they do not.

    Needs no right: the sessions are of the same role. A query that starts just after a request is met by the next one.
    """
    begun = time.monotonic()
    while True:
        waited = time.monotonic() - begun
        _signal(where, control, "pg_cancel_backend" if waited < CANCEL_SECONDS else "pg_terminate_backend", backends)
        for thread in threads:
            thread.join(0.1)
        if not any(thread.is_alive() for thread in threads):
            return True
        if waited > GIVE_UP_SECONDS:
            return False


def _signal(where: Target, control: "Connection", function: str, backends: list[int]) -> None:
    import psycopg

    statement = f"select {function}(pid) from unnest(%s::int[]) as pid".encode()  # noqa: S608 - our own word
    try:
        control.rollback()
        control.execute(statement, [backends])
    except psycopg.Error:
        with contextlib.suppress(psycopg.Error, OutsideError), contextlib.closing(where.connect()) as another:
            another.execute(statement, [backends])


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
