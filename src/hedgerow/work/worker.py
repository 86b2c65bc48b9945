"""The worker: takes tasks up, each in a process of its own, and sees that nothing is left behind.

What can die, and what then happens:

- a task's process: `settle` of its kind says whether and when it is tried again;
- the worker (or the whole server): its processes die with it, its lease runs out, another worker (or the next
  start, which on SQLite knows at once that it is alone) puts its tasks back;
- a worker that was stopped for longer than its lease: it finds its lease gone, kills its processes, and goes on
  under a new name, so that two processes never work on one task.
"""

import logging
import os
import socket
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess

from django.db import Error as DatabaseError
from django.db import close_old_connections, transaction

from hedgerow.core import processes
from hedgerow.core.clock import Steps
from hedgerow.core.config import Config
from hedgerow.core.ids import random_base62
from hedgerow.work import beat, kinds, leases, queue
from hedgerow.work.models import Task, Worker

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the queue and the schedules are looked at when nothing wakes the worker."""


@dataclass
class _Busy:
    task: Task
    process: ForkServerProcess
    withdrawn: bool = False


class WorkerLoop:
    """Works on tasks in the background of this process, up to `config.workers` at once.

    On SQLite the caller holds the exclusive lock on the data folder, so every other worker is known to be dead.
    """

    def __init__(self, config: Config) -> None:
        self._slots = config.workers
        self._lease = config.lease_seconds
        self._alone = not config.database_url
        self._id = ""
        self._watch = leases.Watch()
        self._clock = Steps()
        self._busy: list[_Busy] = []
        self._draining = threading.Event()
        self._stopped = threading.Event()
        self._lost_lease = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin. Tasks of dead workers are taken up first."""
        self._register()
        for target in (self._work, self._keep_lease):
            thread = threading.Thread(target=target, name=f"worker-{target.__name__.strip('_')}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, seconds: float = 10.0) -> None:
        """Stop taking tasks, give those that run `seconds` to end, then hand the rest back to the queue."""
        deadline = time.monotonic() + seconds
        self._draining.set()
        queue.wake.set()
        while self._busy and time.monotonic() < deadline:
            time.sleep(0.05)
        self._stopped.set()
        queue.wake.set()
        for thread in self._threads:
            thread.join(5)
        self._kill_all()
        with transaction.atomic():
            Task.objects.filter(holder_id=self._id).update(holder=None)
            Worker.objects.filter(id=self._id).delete()

    def _register(self) -> None:
        self._id = f"{socket.gethostname()[:60]}-{os.getpid()}-{random_base62(8)}"
        with transaction.atomic():
            if self._alone:
                Task.objects.exclude(holder=None).update(holder=None)
                Worker.objects.all().delete()
            leases.take(self._id, self._lease)

    def _keep_lease(self) -> None:
        """Renew the lease; when it was lost, say so to the working thread, which starts a new life."""
        pause = max(0.2, self._lease / 6)
        while not self._stopped.wait(pause):
            try:
                close_old_connections()
                if not leases.renew(self._id, self._lease):
                    self._lost_lease.set()
                    queue.wake.set()
            except DatabaseError:
                pass  # the working thread has the same trouble and says so

    def _work(self) -> None:
        trouble = ""
        while not self._stopped.is_set():
            try:
                close_old_connections()
                self._look()
                if trouble:
                    trouble = ""
                    log.warning("The worker can use its database again")
            except DatabaseError as error:
                if str(error) != trouble:  # a disk may stay full for hours
                    trouble = str(error)
                    log.warning("The worker cannot use its database and tries again: %s", trouble.strip())
                time.sleep(LOOK_SECONDS)
            except Exception:
                log.exception("The worker met an unexpected error and goes on")
                time.sleep(LOOK_SECONDS)
            self._rest()

    def _rest(self) -> None:
        """Until a process ends, somebody wakes the worker, or it is time to look again."""
        if queue.wake.is_set():
            queue.wake.clear()
            return
        if not self._busy:
            queue.wake.wait(LOOK_SECONDS)
        else:
            deadline = time.monotonic() + LOOK_SECONDS
            while time.monotonic() < deadline and not queue.wake.is_set():
                if wait([b.process.sentinel for b in self._busy], timeout=0.05):
                    break
        queue.wake.clear()

    def _look(self) -> None:
        if self._lost_lease.is_set():
            self._start_new_life()
        if self._clock.set_back():
            queue.realign()
            beat.realign()
        self._settle_ended()
        self._compare()
        if self._draining.is_set():
            return
        self._bury_dead_workers()
        while beat.strike() == beat.BATCH:
            pass
        for task in queue.claim(self._id, self._slots - len(self._busy)):
            self._begin(task)

    def _begin(self, task: Task) -> None:
        kind = kinds.get(task.kind)
        arguments = kind.start(task)
        if arguments is None:
            queue.finish(task)
            return
        process = processes.forkserver_context().Process(
            target=kind.target, args=arguments, name=task.kind, daemon=True
        )
        processes.start(process)
        self._busy.append(_Busy(task, process))

    def _settle_ended(self) -> None:
        for busy in [b for b in self._busy if not b.process.is_alive()]:
            code = busy.process.exitcode
            with transaction.atomic():
                delay = kinds.get(busy.task.kind).settle(busy.task, -1 if code is None else code)
                if delay is None:
                    queue.finish(busy.task)
                else:
                    queue.put_back(busy.task, delay)
            self._busy.remove(busy)
            busy.process.close()

    def _compare(self) -> None:
        """Kill what was withdrawn; let go of what was claimed and then not begun, because a fault came between."""
        held = queue.still_held(self._id)
        for busy in self._busy:
            if busy.task.id not in held and not busy.withdrawn:
                busy.withdrawn = True
                busy.process.kill()
        forgotten = held - {busy.task.id for busy in self._busy}
        if forgotten:
            log.warning("%d tasks were taken up but not begun; they go back to the queue", len(forgotten))
            Task.objects.filter(id__in=forgotten, holder_id=self._id).update(holder=None)

    def _bury_dead_workers(self) -> None:
        if not self._alone and (dead := self._watch.bury_dead(self._id)):
            log.warning("Took back the tasks of %d dead workers", dead)

    def _start_new_life(self) -> None:
        log.warning("The worker was silent for longer than its lease; it stops its runs and starts anew")
        self._kill_all()
        self._busy.clear()
        Task.objects.filter(holder_id=self._id).update(holder=None)
        self._register()
        self._lost_lease.clear()

    def _kill_all(self) -> None:
        for busy in self._busy:
            busy.process.kill()
        for busy in self._busy:
            busy.process.join(5)
