"""Any table of PostgreSQL, synced and read back: equal value for value, or a loss that is counted.

Two readers of the source, three ways of writing, two readers of what was written.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from hedgerow.connectors import registry
from hedgerow.connectors.contract import BadValues, Cursor, Reach, Reading, ReadRequest
from hedgerow.connectors.kits.sql import pg_plan
from hedgerow.lake import write
from hedgerow.lake.storage import Storage
from hedgerow.lake.write import CommitFacts
from tests.exact import reading
from tests.exact.kinds import HSTORE, MAKE_TYPES, Stored
from tests.exact.tables import Expected, Table, There, expected, tables
from tests.support import soak
from tests.support.postgres import PostgresDatabase, PostgresServer

Way = Literal["replace", "append", "merge"]
pytestmark = pytest.mark.soak
EXAMPLES: Final = {"fast": soak.times(8), "rows": soak.times(20)}
usual = settings(
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=[Phase.generate],
)
POSTGRES: Final = registry.get("Postgres")
_fences: Final = itertools.count(1)


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    """With the types that random tables use."""
    postgres.start()
    database = postgres.create_database()
    database.execute(MAKE_TYPES)
    yield database
    database.drop()


@pytest.mark.parametrize("way", ["replace", "append", "merge"])
@pytest.mark.parametrize("reader", ["fast", "rows"])
def test_a_synced_table_equals_its_source_value_for_value(
    database: PostgresDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str, way: Way
) -> None:
    with database.connect() as connection:
        version = connection.info.server_version
    monkeypatch.setattr(pg_plan, "FEW_ROWS", {"fast": -1, "rows": 10**12}[reader])
    monkeypatch.setattr(pg_plan, "CHUNK_BYTES", 8192)  # tables of several pages are read in parts
    known = bool(database.execute("select 1 from pg_available_extensions where name = 'hstore'"))
    if known:
        database.execute("create extension if not exists hstore")
    storage = Storage(str(tmp_path))

    @random_or_not(f"{reader} {way}")
    @settings(usual, max_examples=EXAMPLES[reader])
    @given(table=tables(version, (HSTORE,) if known else ()), keeps_text=st.booleans())
    def holds(table: Table, keeps_text: bool) -> None:
        note(repr(table))
        policy: BadValues = "keep_text" if keeps_text else "null_and_count"
        with There(database, table) as there:
            place = f"1/t-{next(_fences)}"
            wanted = expected(table, there.truth(), keeps_text=keeps_text)
            mark = check(sync(database, storage, place, table, "replace", None, policy), wanted)
            compare(storage, place, table, wanted, keeps_text=keeps_text)
            there.change()
            after = None if way == "replace" else mark
            read = expected(table, there.truth(after), keeps_text=keeps_text)
            check(sync(database, storage, place, table, way, after, policy), read)
            now = expected(table, there.truth(), keeps_text=keeps_text)
            if way == "append":
                now.rows = wanted.rows + read.rows
            compare(storage, place, table, now, keeps_text=keeps_text)

    holds()


def random_or_not(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """In `make test` the same tables every time, others for each name; any in `make soak`."""
    return seed(name) if soak.FACTOR == 1 else lambda test: test


def sync(
    database: PostgresDatabase,
    storage: Storage,
    place: str,
    table: Table,
    way: Way,
    after: str | None,
    policy: BadValues,
) -> Reading:
    """The part of a run that touches data."""
    cursor = Cursor(table.changed.name, "integer", after)
    request = ReadRequest(table.name, cursor, memory_mib=64, bad_values=policy)
    with POSTGRES.read(database.settings(), Reach(), request) as found:
        arguments = (storage, place, found.schema, found.batches, facts, lambda _rows: None)
        if way == "merge":
            write.merge(*arguments, [column.name for column in table.key])
        else:
            {"append": write.append, "replace": write.replace}[way](*arguments)
    return found


def facts() -> CommitFacts:
    return CommitFacts("a run", next(_fences))


def check(found: Reading, wanted: Expected) -> str | None:
    """The losses are exactly the expected ones; how far the read came."""
    assert {name: loss.count for name, loss in found.losses.items()} == wanted.losses
    assert all(loss.reason for loss in found.losses.values())
    return found.cursor_to


def compare(storage: Storage, place: str, table: Table, wanted: Expected, *, keeps_text: bool) -> None:
    """Both readers find the expected rows under the source's names, as far as tables can have them."""
    columns = [(column.name, column.kind.stored) for column in table.columns]
    raw = [f"{column.name}__raw" for column in table.columns if column.kind.can_lose and keeps_text]
    stored: list[Stored] = [kind for _, kind in columns]
    stored += ["text"] * len(raw)
    for read in (reading.by_polars, reading.by_sql):
        names, rows = read(storage, place, stored)
        assert len({name.lower() for name in names}) == len(names)
        for name, source_name in zip(names, [*(name for name, _ in columns), *raw], strict=True):
            assert name.lower().startswith(source_name.lower())
        missing, extra = wanted.rows - rows, rows - wanted.rows
        assert not missing, f"{read.__name__} misses {missing} and has {extra}"
        assert not extra
