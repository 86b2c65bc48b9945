"""The worker: real processes, and what happens when they or the worker die."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import DatabaseError

from hedgerow.core import processes
from hedgerow.core.clock import now
from hedgerow.core.config import Config
from hedgerow.work import kinds, queue
from hedgerow.work.models import Task, Worker
from hedgerow.work.worker import WorkerLoop
from tests.work import targets

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Ends:
    """What the worker told about ends: (subject, exit code); `answers` are the delays it is told."""

    seen: list[tuple[str, int]] = field(default_factory=list)
    answers: list[float | None] = field(default_factory=list)

    def settle(self, task: Task, code: int) -> float | None:
        self.seen.append((task.subject, code))
        return self.answers.pop(0) if self.answers else None


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Wait for the condition; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Ends:
    told = Ends()

    def kind(name: str, target: Callable[..., None]) -> None:
        made = kinds.Kind(name, target, lambda task: tuple(task.facts["args"]), told.settle)
        monkeypatch.setitem(kinds._KINDS, name, made)

    for target in (targets.write, targets.leave, targets.crash, targets.linger):
        kind(target.__name__, target)
    return told


@pytest.fixture
def worker() -> Iterator[WorkerLoop]:
    loop = WorkerLoop(Config(workers=2, lease_seconds=2.0))
    loop.start()
    yield loop
    loop.stop(0)


def add(kind: str, subject: str, *args: Any) -> None:
    queue.enqueue(kind=kind, subject=subject, facts={"args": list(args)})


def test_a_task_runs_in_a_process_of_its_own_and_is_gone_when_done(
    ends: Ends, worker: WorkerLoop, tmp_path: Path
) -> None:
    add("write", "a", str(tmp_path / "out"), "done")
    until(lambda: ends.seen == [("a", 0)])
    assert (tmp_path / "out").read_text() == "done"
    until(lambda: not Task.objects.exists())


def test_a_task_whose_process_cannot_be_started_is_taken_up_again(
    ends: Ends, worker: WorkerLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, faults = processes.start, [ConnectionRefusedError("the helper has just died"), DatabaseError("gone")]

    def start(process: ForkServerProcess) -> None:
        if faults:
            raise faults.pop()
        real(process)

    monkeypatch.setattr(processes, "start", start)
    add("write", "a", str(tmp_path / "out"), "done")
    until(lambda: ends.seen == [("a", 0)])
    until(lambda: not Task.objects.exists())


def test_a_native_crash_touches_nothing_but_its_task(ends: Ends, worker: WorkerLoop, tmp_path: Path) -> None:
    add("crash", "bad")
    add("write", "good", str(tmp_path / "out"), "done")
    until(lambda: len(ends.seen) == 2)
    assert sorted(ends.seen) == [("bad", -11), ("good", 0)]


def test_a_task_is_tried_again_after_the_delay_its_kind_names(ends: Ends, worker: WorkerLoop) -> None:
    ends.answers = [0.1, None]
    add("leave", "a", 75)
    until(lambda: ends.seen == [("a", 75), ("a", 75)])
    until(lambda: not Task.objects.exists())


def test_a_withdrawn_task_is_killed_at_once(ends: Ends, worker: WorkerLoop, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    add("linger", "a", str(pid_file))
    until(pid_file.exists)
    until(pid_file.read_text)
    began = time.monotonic()
    queue.withdraw("linger", ["a"])
    until(lambda: not psutil.pid_exists(int(pid_file.read_text())))
    assert time.monotonic() - began < 3


def test_stopping_hands_unfinished_tasks_back(ends: Ends, tmp_path: Path) -> None:
    loop = WorkerLoop(Config(workers=2))
    loop.start()
    pid_file = tmp_path / "pid"
    add("linger", "a", str(pid_file))
    until(lambda: pid_file.exists() and pid_file.read_text())
    loop.stop(0.1)
    assert not psutil.pid_exists(int(pid_file.read_text()))
    assert Task.objects.get().holder is None
    assert not Worker.objects.exists()
    assert ends.seen == []


def test_tasks_of_a_dead_worker_are_taken_up_at_the_next_start(ends: Ends, tmp_path: Path) -> None:
    dead = Worker.objects.create(id="dead", until=now() + timedelta(hours=1))
    add("write", "a", str(tmp_path / "out"), "done")
    Task.objects.update(holder=dead)
    loop = WorkerLoop(Config(workers=1))
    loop.start()
    until(lambda: ends.seen == [("a", 0)])
    loop.stop(0)


def test_among_several_workers_a_dead_ones_tasks_wait_for_its_lease(ends: Ends, tmp_path: Path) -> None:
    dead = Worker.objects.create(id="dead", until=now() + timedelta(hours=5), lease_seconds=1.5)
    add("write", "a", str(tmp_path / "out"), "done")
    Task.objects.update(holder=dead)
    loop = WorkerLoop(Config(workers=1, database_url="postgresql://several/workers"))
    loop.start()
    time.sleep(0.7)
    assert ends.seen == []
    until(lambda: ends.seen == [("a", 0)])
    assert not Worker.objects.filter(id="dead").exists()
    loop.stop(0)


def test_a_worker_that_lost_its_lease_kills_its_runs_and_lives_on_under_a_new_name(
    ends: Ends, worker: WorkerLoop, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    add("linger", "a", str(pid_file))
    until(lambda: pid_file.exists() and pid_file.read_text())
    pid, old = int(pid_file.read_text()), Worker.objects.get().id
    Worker.objects.all().delete()
    until(lambda: not psutil.pid_exists(pid))
    until(lambda: Worker.objects.exclude(id=old).exists())
    until(lambda: pid_file.read_text() not in ("", str(pid)))


def test_the_lease_is_renewed(worker: WorkerLoop) -> None:
    first = Worker.objects.get().until
    until(lambda: Worker.objects.get().until > first)
