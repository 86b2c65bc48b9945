"""What tests of reading share."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest

from hedgerow.connectors import registry
from hedgerow.connectors.contract import Cursor, Reach, Reading, ReadRequest
from hedgerow.connectors.kits.sql import pg_plan
from tests.support.postgres import PostgresDatabase

POSTGRES: Final = registry.get("Postgres")
ANYWHERE: Final = Reach()


def read_all(database: PostgresDatabase, table: str, cursor: Cursor | None = None) -> tuple[pa.Table, Reading]:
    """All rows, and the finished reading."""
    with POSTGRES.read(database.settings(), ANYWHERE, ReadRequest(table, cursor)) as reading:
        rows = pa.Table.from_batches(list(reading.batches), reading.schema)
    return rows, reading


def sessions(database: PostgresDatabase) -> list[str]:
    """What the other connections to the database are running or ran last."""
    rows = database.execute(
        "select query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    return [row[0] for row in rows]


def is_sleeping(database: PostgresDatabase) -> bool:
    """Whether another connection is in the middle of `pg_sleep`."""
    asked = "select exists(select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')"
    return bool(database.execute(asked)[0][0])


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Return once the condition holds; AssertionError when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def choose_reader(monkeypatch: pytest.MonkeyPatch, reader: str) -> None:
    """Have everything read by the `fast` reader, or by `rows`, however many there are."""
    monkeypatch.setattr(pg_plan, "FEW_ROWS", {"fast": -1, "rows": 10**12}[reader])


def needs_extension(database: PostgresDatabase, *names: str) -> None:
    """Create extensions. Skips where the server comes without them, as the wheel's does."""
    for name in names:
        if not database.execute("select 1 from pg_available_extensions where name = %s", [name]):
            pytest.skip(f"this PostgreSQL comes without {name}")
        database.execute(f"create extension {name}")


def let_the_server_read(path: Path) -> None:
    """Open a file, and the folders above it, to the account that the server runs under."""
    for part in (path, *path.parents[:-1]):
        if part.owner() == path.owner() and not part.stat().st_mode & 0o005:
            part.chmod(part.stat().st_mode | 0o055)
