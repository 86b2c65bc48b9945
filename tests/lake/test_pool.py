"""The query processes: what becomes of a query that runs too long, is cancelled, grows, or kills its process."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hedgerow.core.errors import BadRequestError, Cancelled
from hedgerow.lake.answer import Limits, Result
from hedgerow.lake.pool import BusyError, QueryPool
from hedgerow.lake.storage import Storage
from tests.support import shop

TABLES = {"orders": "1/orders-a"}
ENDLESS = "SELECT count() FROM numbers(1000000000000)"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    storage = Storage(str(tmp_path_factory.mktemp("tables")))
    shop.store(storage, TABLES["orders"])
    return storage


@pytest.fixture
def pool(storage: Storage) -> Iterator[QueryPool]:
    pool = QueryPool(storage.url, 2, 256)
    yield pool
    pool.close()


def ask(pool: QueryPool, sql: str, query_id: str = "q", seconds: float = 20, wait: float = 20) -> Result:
    return pool.run(query_id, sql, TABLES, values={}, limits=Limits(seconds=seconds, memory_mib=256), wait=wait)


def process_of(pool: QueryPool) -> int:
    """The process that answers next."""
    ask(pool, "SELECT 1")
    (child,) = pool._state.idle
    return child.process.pid or 0


class Asking(threading.Thread):
    """A query asked in a thread of its own; `outcome` is its result or its error."""

    def __init__(self, pool: QueryPool, sql: str, **options: Any) -> None:
        super().__init__()
        self.outcome: Any = None
        self._ask: Callable[[], Result] = lambda: ask(pool, sql, **options)
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self._ask()
        except Exception as error:
            self.outcome = error

    def ended(self) -> Any:
        self.join(20)
        assert not self.is_alive(), "it did not end"
        return self.outcome


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def largest_process() -> int:
    """Bytes that the largest process below this one holds."""
    sizes = [0]
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            sizes.append(process.memory_info().rss)
    return max(sizes)


def test_one_process_answers_one_query_after_another(pool: QueryPool) -> None:
    assert ask(pool, "SELECT id FROM orders ORDER BY id").rows == [[1], [2], [9007199254740993]]
    assert process_of(pool) == process_of(pool)


def test_queries_share_nothing(pool: QueryPool) -> None:
    ask(pool, "SELECT * FROM orders")
    with pytest.raises(BadRequestError, match="Unknown table `orders`"):
        pool.run("q", "SELECT * FROM orders", {}, values={}, limits=Limits(), wait=5)


def test_two_run_at_once_and_a_third_waits_for_its_turn(pool: QueryPool) -> None:
    long = [Asking(pool, ENDLESS, query_id=f"long {n}") for n in range(2)]
    until(lambda: pool._state.busy == 2)
    with pytest.raises(BusyError):
        ask(pool, "SELECT 1", wait=0.1)
    waiting = Asking(pool, "SELECT 1")
    pool.cancel("long 0")
    assert waiting.ended().rows == [[1]]
    pool.cancel("long 1")
    assert all(isinstance(asking.ended(), Cancelled) for asking in long)


def test_a_query_over_its_time_is_stopped_and_the_next_is_answered(pool: QueryPool) -> None:
    before = process_of(pool)
    with pytest.raises(BadRequestError) as caught:
        ask(pool, ENDLESS, seconds=0.3)
    assert (caught.value.code, caught.value.message) == (
        "timeout_exceeded",
        "The query took longer than 0.3 seconds.",
    )
    assert process_of(pool) != before
    until(lambda: not psutil.pid_exists(before))


@pytest.mark.parametrize(
    "bomb",
    [
        "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT count() FROM x",
        "SELECT count() FROM numbers(1000000) a, numbers(1000000) b, numbers(1000000) c",
        "SELECT count() FROM numbers(100000000) WHERE regexp_matches(repeat(number::VARCHAR, 500), '(a*)*(b*)*c')",
        "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))",
        "SELECT range(100000000000)",
        "SELECT length(repeat('x', 3000000000))",
        "SELECT lpad('x', 2000000000, 'y')",
        "SELECT list(number) FROM numbers(10000000000)",
        "SELECT string_agg(repeat('x', 100000), '') FROM numbers(1000000)",
        "SELECT regexp_replace(repeat('a', 10000000), 'a', repeat('b', 1000), 'g')",
        "SELECT list_transform(range(10000000), x -> range(1000))",
        "SELECT printf('%1000000000d', 1)",
        "SELECT map(range(50000000), range(50000000))",
        "SELECT json(repeat('[', 50000000))",
    ],
)
def test_a_bomb_goes_off_in_its_own_process_within_its_limits(pool: QueryPool, bomb: str) -> None:
    started, peak = time.monotonic(), 0
    asking = Asking(pool, bomb, seconds=1)
    while asking.is_alive():
        peak = max(peak, largest_process())
        time.sleep(0.05)
    assert isinstance(asking.ended(), BadRequestError), asking.outcome
    assert time.monotonic() - started < 10
    assert peak < 1024**3
    assert ask(pool, "SELECT 1").rows == [[1]]


def test_a_query_whose_process_dies_is_told_and_the_next_is_answered(pool: QueryPool) -> None:
    asking = Asking(pool, ENDLESS)
    until(lambda: any(t.child for t in pool._state.tickets))
    child = pool._state.tickets[0].child
    assert child is not None
    os.kill(child.process.pid or 0, signal.SIGSEGV)
    error = asking.ended()
    assert isinstance(error, BadRequestError)
    assert "stopped the process" in error.message
    assert ask(pool, "SELECT 1").rows == [[1]]


def test_a_process_that_died_while_idle_is_replaced(pool: QueryPool) -> None:
    pid = process_of(pool)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid))
    assert ask(pool, "SELECT 1").rows == [[1]]


def test_cancelling_stops_the_work_at_once(pool: QueryPool) -> None:
    asking = Asking(pool, ENDLESS, query_id="mine")
    until(lambda: any(t.child for t in pool._state.tickets))
    assert pool.cancel("mine")
    assert isinstance(asking.ended(), Cancelled)
    assert not pool.cancel("mine")


def test_a_query_that_waits_can_be_cancelled_too(pool: QueryPool) -> None:
    long = [Asking(pool, ENDLESS, query_id="long") for _ in range(2)]
    until(lambda: pool._state.busy == 2)
    waiting = Asking(pool, "SELECT 1", query_id="waiting")
    until(lambda: len(pool._state.tickets) == 3)
    assert pool.cancel("waiting")
    assert isinstance(waiting.ended(), Cancelled)
    pool.cancel("long")
    assert all(isinstance(asking.ended(), Cancelled) for asking in long)


def test_a_process_that_has_grown_is_not_kept(pool: QueryPool) -> None:
    before = process_of(pool)
    ask(pool, "SELECT repeat('x', 600) FROM numbers(50000) LIMIT 50000")
    assert process_of(pool) != before


def test_an_answer_too_large_for_the_server_is_refused(pool: QueryPool) -> None:
    with pytest.raises(BadRequestError, match="larger than 32 MiB"):
        ask(pool, "SELECT repeat('x', 4000) FROM numbers(10000) LIMIT 10000")


def test_closing_ends_everything(storage: Storage) -> None:
    pool = QueryPool(storage.url, 2, 256)
    idle = process_of(pool)
    asking = Asking(pool, ENDLESS)
    until(lambda: pool._state.busy == 1)
    pool.close()
    assert isinstance(asking.ended(), Cancelled)
    until(lambda: not psutil.pid_exists(idle))
    with pytest.raises(Cancelled):
        ask(pool, "SELECT 1")


def test_warm_starts_a_process_beforehand(storage: Storage) -> None:
    pool = QueryPool(storage.url, 2, 256)
    pool.warm()
    pool.warm()
    (child,) = pool._state.idle
    assert process_of(pool) == child.process.pid
    pool.close()


def test_queries_end_with_a_server_that_is_killed(storage: Storage, tmp_path: Path) -> None:
    """Whatever kills the server, no query process stays behind; and the server itself never loads the engine."""
    script = tmp_path / "server.py"
    script.write_text(
        textwrap.dedent(f"""
            import sys, threading
            from hedgerow.lake.answer import Limits
            from hedgerow.lake.pool import QueryPool
            pool = QueryPool({storage.url!r}, 2, 256)
            pool.warm()
            limits = Limits(seconds=60)
            ask = lambda: pool.run("q", {ENDLESS!r}, {{}}, values={{}}, limits=limits, wait=5)
            threading.Thread(target=ask, daemon=True).start()
            while not pool._state.busy: pass
            heavy = {{"duckdb", "pyarrow", "deltalake", "sqlglot"}} & set(sys.modules)
            print(pool._state.tickets[0].child.process.pid, *heavy, flush=True)
            threading.Event().wait()
        """)
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        pid, *heavy = server.stdout.readline().split()
        server.kill()
    assert not heavy
    until(lambda: not psutil.pid_exists(int(pid)))
