"""A silent source is left, one that is at work is waited for; nothing waits for ever."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from hedgerow.connectors.contract import Reach, ReadRequest
from hedgerow.connectors.kits.sql import pg_silence
from hedgerow.core.errors import InterruptedReadError, OutsideError
from tests.connectors.kits.sql.reading import POSTGRES, choose_reader, sessions, wait_for
from tests.support.postgres import PostgresDatabase
from tests.support.proxy import Fault, Proxy

PATIENCE = 1.5
REACH = Reach(silence_seconds=PATIENCE)
ROWS = 20_000
FILL = f"create table t as select i as id, repeat(md5(i::text), 4) as word from generate_series(1, {ROWS}) i"
MIDDLE = 300_000
"""Bytes of an answer after which a read is in the middle."""


@pytest.fixture
def proxy(pg_database: PostgresDatabase) -> Iterator[Proxy]:
    pg_database.execute(FILL)
    with Proxy(pg_database.server.port) as between:
        yield between


FAST = pytest.mark.parametrize("reader", ["fast"], indirect=True)


@pytest.fixture(params=["fast", "rows"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    choose_reader(monkeypatch, request.param)
    return str(request.param)


def through(proxy: Proxy, database: PostgresDatabase) -> dict[str, Any]:
    return database.settings(port=proxy.port)


def read(settings: dict[str, Any], table: str = "t") -> pa.Table:
    with POSTGRES.read(settings, REACH, ReadRequest(table)) as reading:
        return pa.Table.from_batches(list(reading.batches), reading.schema)


def failure_of_reading(proxy: Proxy, database: PostgresDatabase) -> OutsideError:
    with pytest.raises(OutsideError) as caught:
        read(through(proxy, database))
    return caught.value


@pytest.mark.parametrize("times", [1, None], ids=["one connection", "all connections"])
def test_a_read_that_stalls_in_the_middle_is_broken_off(
    proxy: Proxy, pg_database: PostgresDatabase, reader: str, times: int | None
) -> None:
    proxy.fail(Fault("stall", MIDDLE, times))
    began = time.monotonic()
    error = failure_of_reading(proxy, pg_database)
    assert isinstance(error, InterruptedReadError)
    assert error.message.startswith("The source stopped answering")
    assert time.monotonic() - began < 60
    assert not [thread for thread in threading.enumerate() if thread.name in ("pg-read", "silence-watch")]


@FAST
def test_a_source_of_which_nothing_is_heard_any_more_is_left(
    proxy: Proxy, pg_database: PostgresDatabase, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pg_silence, "ASK_SECONDS", 2)
    fault = proxy.fail(Fault("stall", MIDDLE, 1))

    def silence() -> None:
        wait_for(lambda: bool(fault.met))
        proxy.fail(Fault("stall"))

    threading.Thread(target=silence).start()
    assert failure_of_reading(proxy, pg_database).message.startswith("The source stopped answering")


@pytest.mark.parametrize("kind", ["reset", "finish", "garbage"])
def test_a_read_that_is_cut_or_spoiled_can_be_tried_again(
    proxy: Proxy, pg_database: PostgresDatabase, reader: str, kind: Any
) -> None:
    proxy.fail(Fault(kind, MIDDLE, 1))
    assert isinstance(failure_of_reading(proxy, pg_database), InterruptedReadError)
    assert read(through(proxy, pg_database)).num_rows == ROWS


@FAST
def test_a_slow_source_is_read_to_the_end(proxy: Proxy, pg_database: PostgresDatabase, reader: str) -> None:
    proxy.fail(Fault("slow"))
    began = time.monotonic()
    rows = read(through(proxy, pg_database))
    assert time.monotonic() - began > PATIENCE, "it was not slow enough to tell"
    assert sorted(rows["id"].to_pylist()) == list(range(1, ROWS + 1))


@FAST
def test_a_source_at_work_may_be_silent(proxy: Proxy, pg_database: PostgresDatabase, reader: str) -> None:
    pg_database.execute("create view late as select id, word from t, (select pg_sleep(4)) s where id <= 10")
    assert read(through(proxy, pg_database), "late").num_rows == 10


def test_a_wait_for_a_lock_is_no_silence(proxy: Proxy, pg_database: PostgresDatabase) -> None:
    with pg_database.connect(autocommit=False) as other:
        other.execute("lock table t")
        threading.Timer(4, other.commit).start()
        assert read(through(proxy, pg_database)).num_rows == ROWS


@FAST
def test_a_slow_reader_is_not_taken_for_a_silent_source(
    proxy: Proxy, pg_database: PostgresDatabase, reader: str
) -> None:
    count = 0
    with POSTGRES.read(through(proxy, pg_database), REACH, ReadRequest("t", memory_mib=16)) as reading:
        for number, batch in enumerate(reading.batches):
            count += batch.num_rows
            if not number:
                time.sleep(3 * PATIENCE)
        time.sleep(2 * PATIENCE)
    assert count == ROWS


@pytest.mark.parametrize("after", [0, 30], ids=["before a word", "in the middle of the greeting"])
@pytest.mark.parametrize("kind", ["reset", "finish", "garbage"])
def test_a_login_that_is_cut_is_unreachable(proxy: Proxy, pg_database: PostgresDatabase, kind: Any, after: int) -> None:
    proxy.fail(Fault(kind, after))
    with pytest.raises(OutsideError) as caught:
        POSTGRES.check({**through(proxy, pg_database)}, REACH)
    assert caught.value.message == "Could not connect to Postgres. Please check all connection details are valid."


def test_discovery_that_stalls_ends(proxy: Proxy, pg_database: PostgresDatabase) -> None:
    proxy.fail(Fault("stall", 900))
    with pytest.raises(OutsideError) as caught:
        POSTGRES.tables(through(proxy, pg_database), REACH)
    assert caught.value.message.startswith("The source stopped answering")


@FAST
def test_leaving_a_read_of_a_silent_source_does_not_hang(
    proxy: Proxy, pg_database: PostgresDatabase, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pg_silence, "ASK_SECONDS", 2)
    began = time.monotonic()
    with POSTGRES.read(through(proxy, pg_database), REACH, ReadRequest("t", memory_mib=16)) as reading:
        next(reading.batches)
        proxy.fail(Fault("stall"))
    assert time.monotonic() - began < 60


def test_the_watch_leaves_nothing_in_the_source(proxy: Proxy, pg_database: PostgresDatabase) -> None:
    proxy.fail(Fault("stall", MIDDLE, 1))
    failure_of_reading(proxy, pg_database)
    wait_for(lambda: not sessions(pg_database))
