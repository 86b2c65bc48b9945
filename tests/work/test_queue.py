"""The queue: due tasks, oldest first, no partition over its limit, nothing twice."""

from datetime import timedelta

import pytest

from hedgerow.core.clock import now
from hedgerow.work import queue
from hedgerow.work.models import Task, Worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker() -> str:
    return Worker.objects.create(id="w1", until=now() + timedelta(minutes=1)).id


def subjects(tasks: list[Task]) -> list[str]:
    return [t.subject for t in tasks]


def test_tasks_are_claimed_oldest_first_and_only_once(worker: str) -> None:
    for name in "abc":
        queue.enqueue(kind="k", subject=name)
    assert subjects(queue.claim(worker, 2)) == ["a", "b"]
    assert subjects(queue.claim(worker, 2)) == ["c"]
    assert queue.claim(worker, 2) == []


def test_the_same_task_enqueued_twice_is_one(worker: str) -> None:
    queue.enqueue(kind="k", subject="a")
    queue.enqueue(kind="k", subject="a")
    assert len(queue.claim(worker, 9)) == 1


def test_a_partition_never_goes_over_its_limit_and_never_starves_others(worker: str) -> None:
    for number in range(50):
        queue.enqueue(kind="k", subject=f"busy{number}", partition="busy", limit=2)
    queue.enqueue(kind="k", subject="other", partition="other", limit=2)
    assert subjects(queue.claim(worker, 4)) == ["busy0", "busy1", "other"]
    assert queue.claim(worker, 4) == []
    queue.finish(Task.objects.get(subject="busy0"))
    assert subjects(queue.claim(worker, 4)) == ["busy2"]


def test_a_task_that_is_not_due_waits(worker: str) -> None:
    queue.enqueue(kind="k", subject="later", not_before=now() + timedelta(minutes=1))
    assert queue.claim(worker, 1) == []


def test_a_task_put_back_is_due_after_its_delay(worker: str) -> None:
    queue.enqueue(kind="k", subject="a")
    (task,) = queue.claim(worker, 1)
    queue.put_back(task, delay=60)
    assert queue.claim(worker, 1) == []
    Task.objects.update(not_before=now())
    (again,) = queue.claim(worker, 1)
    assert again.starts == 2


def test_a_withdrawn_task_is_not_held_any_more_and_cannot_come_back(worker: str) -> None:
    queue.enqueue(kind="k", subject="a")
    (task,) = queue.claim(worker, 1)
    assert queue.still_held(worker) == {task.id}
    queue.withdraw("k", ["a"])
    assert queue.still_held(worker) == set()
    queue.put_back(task, delay=0)
    assert queue.claim(worker, 1) == []


def test_a_task_given_to_another_worker_cannot_be_finished_by_the_first(worker: str) -> None:
    queue.enqueue(kind="k", subject="a")
    (task,) = queue.claim(worker, 1)
    other = Worker.objects.create(id="w2", until=now() + timedelta(minutes=1))
    Task.objects.update(holder=other)
    queue.finish(task)
    queue.put_back(task, delay=0)
    assert queue.still_held("w2") == {task.id}


def test_only_workers_with_a_live_lease_count(worker: str) -> None:
    assert queue.live_workers() == 1
    Worker.objects.update(until=now() - timedelta(seconds=1))
    assert queue.live_workers() == 0


def test_after_the_clock_was_set_back_no_task_waits_for_the_old_time(
    worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.enqueue(kind="k", subject="due by the old clock")
    queue.enqueue(kind="k", subject="soon", not_before=now() - timedelta(hours=3) + timedelta(seconds=60))
    monkeypatch.setattr(queue, "now", lambda: now() - timedelta(hours=3))
    assert queue.claim(worker, 9) == []

    queue.realign()

    assert subjects(queue.claim(worker, 9)) == ["due by the old clock"]


def test_no_task_is_put_off_for_longer_than_the_longest_delay(worker: str) -> None:
    queue.enqueue(kind="k", subject="a")
    (task,) = queue.claim(worker, 1)

    queue.put_back(task, delay=86400)

    assert Task.objects.get().not_before <= now() + queue.LONGEST_DELAY
