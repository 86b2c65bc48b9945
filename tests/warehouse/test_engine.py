"""Three queries of a project at once; the fourth waits, then is turned away."""

import threading

import pytest

from hedgerow.core.errors import Cancelled, RateLimitedError
from hedgerow.warehouse import engine

ENDLESS = "SELECT count() FROM numbers(1000000000000)"


def run(project_id: int, sql: str, query_id: str = "q", wait: float = 20) -> object:
    return engine.run(project_id, query_id, sql, {}, values={}, wait=wait).rows


def test_a_project_has_three_places_and_others_have_their_own() -> None:
    started = [threading.Event() for _ in range(3)]

    def occupy(number: int) -> None:
        with pytest.raises(Cancelled):
            engine.run(1, "long", ENDLESS, {}, values={}, on_start=started[number].set)

    threads = [threading.Thread(target=occupy, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    assert all(event.wait(20) for event in started)
    with pytest.raises(RateLimitedError):
        run(1, "SELECT 1", wait=0.1)
    with pytest.raises(RateLimitedError):  # a place of its own, but no process is free
        run(2, "SELECT 1", wait=0.1)
    while any(thread.is_alive() for thread in threads):
        engine.pool().cancel("long")
        threads[0].join(0.01)
    assert run(1, "SELECT 1") == [[1]]
    assert engine._running == {}
