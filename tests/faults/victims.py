"""Who dies. Each ends a part of an installation as a power cut would, and brings back what does not come by itself."""

import random
import time
from collections.abc import Callable
from typing import Final

import psutil

from tests.faults.rig import Rig

Victim = Callable[[Rig, random.Random], bool]
"""Kills; answers whether there was something to kill."""


def child(rig: Rig, rng: random.Random) -> bool:
    """The process of a run."""
    return _kill(rng, rig.children())


def helper(rig: Rig, rng: random.Random) -> bool:
    """What runs are forked from; they die with it."""
    return _kill(rng, rig.helpers())


def server(rig: Rig, rng: random.Random) -> bool:
    """The server, with the worker in it. All below it end by themselves."""
    below = [p for p in rig.processes() if p.pid not in {w.pid for w in rig.workers} and not _is_below(p, rig)]
    rig.server.kill()
    _, alive = psutil.wait_procs([p for p in below if p.is_running()], timeout=10)
    assert not alive, f"processes outlived their server: {alive}"
    time.sleep(rng.choice((0, 0, 0.5)))
    rig.server.start()
    return True


def worker(rig: Rig, rng: random.Random) -> bool:
    """One of the workers beside the server; another one takes its place."""
    process = rig.workers.pop(rng.randrange(len(rig.workers)))
    process.kill()
    process.wait()
    rig.add_worker()
    return True


def source(rig: Rig, rng: random.Random) -> bool:
    """All of the source's PostgreSQL."""
    rig.world.database.server.crash()
    time.sleep(rng.choice((0, 0, 0.5)))
    rig.world.database.server.start()
    return True


def backend(rig: Rig, rng: random.Random) -> bool:
    """One session's process in the source; PostgreSQL then ends all others, recovers and goes on."""
    deadline = time.monotonic() + 5
    while not (sessions := rig.world.sessions()) and time.monotonic() < deadline:
        pass
    if not _kill(rng, [psutil.Process(pid) for pid, _ in sessions if psutil.pid_exists(pid)]):
        return False
    rig.world.database.server.wait_until_ready()
    return True


def metadata(rig: Rig, rng: random.Random) -> bool:
    """The PostgreSQL that keeps Hedgerow's own tables."""
    assert rig.metadata is not None
    rig.metadata.server.crash()
    time.sleep(rng.choice((0, 0, 0.5)))
    rig.metadata.server.start()
    return True


EMBEDDED: Final[tuple[Victim, ...]] = (child, helper, server, source, backend)
SHARED: Final[tuple[Victim, ...]] = (server, worker, metadata, child)


def _is_below(process: psutil.Process, rig: Rig) -> bool:
    """Whether a process belongs to one of the workers beside the server."""
    workers = {w.pid for w in rig.workers}
    try:
        return bool(workers & {process.pid, *(p.pid for p in process.parents())})
    except psutil.Error:
        return False


def _kill(rng: random.Random, processes: list[psutil.Process]) -> bool:
    if not processes:
        return False
    try:
        rng.choice(processes).kill()
    except psutil.NoSuchProcess:
        return False
    return True
