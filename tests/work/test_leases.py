"""Who is dead, by the stopwatch: no clock that jumps robs the living or keeps the dead."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from hedgerow.core.clock import now
from hedgerow.work import leases, queue
from hedgerow.work.models import Task, Worker

pytestmark = pytest.mark.django_db

Pass = Callable[[float], None]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Pass:
    """Moves this process's stopwatch on."""
    at = [1000.0]
    monkeypatch.setattr("hedgerow.work.leases.time.monotonic", lambda: at[0])

    def move(seconds: float) -> None:
        at[0] += seconds

    return move


@pytest.fixture
def task(passes: Pass) -> Task:
    """A task held by another worker with a lease of three seconds."""
    leases.take("other", 3)
    queue.enqueue(kind="k", subject="a")
    return queue.claim("other", 1)[0]


def _held_by() -> str | None:
    holder: str | None = Task.objects.get().holder_id
    return holder


def test_a_worker_that_stays_silent_for_its_lease_loses_its_tasks(task: Task, passes: Pass) -> None:
    watch = leases.Watch()
    found = []
    for _ in range(6):
        found.append(watch.bury_dead("me"))
        passes(1)

    assert found == [0, 0, 0, 0, 1, 0]
    assert _held_by() is None
    assert not leases.renew("other", 3), "it learns of it when it renews"


@pytest.mark.parametrize("jump", [timedelta(hours=-5), timedelta(hours=5)])
def test_a_clock_that_jumps_takes_nothing_from_a_worker_that_renews(
    task: Task, passes: Pass, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = leases.Watch()
    monkeypatch.setattr(leases, "now", lambda: now() + jump)
    Worker.objects.update(until=now() - timedelta(hours=4))
    for _ in range(10):
        assert watch.bury_dead("me") == 0
        passes(1)
        assert leases.renew("other", 3)

    assert _held_by() == "other"


def test_who_was_stopped_himself_has_seen_no_silence(task: Task, passes: Pass) -> None:
    watch = leases.Watch()
    watch.bury_dead("me")

    passes(3600)

    assert watch.bury_dead("me") == 0
    assert _held_by() == "other"


def test_a_worker_that_renews_at_the_last_moment_is_left_alone(task: Task) -> None:
    seen = Worker.objects.get().renewals
    leases.renew("other", 3)

    assert not leases._bury("other", seen)
    assert _held_by() == "other"
