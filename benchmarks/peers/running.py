"""Run one peer once, as a process of its own, and measure it as Hedgerow is measured."""

import os
import resource
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.measuring import PeakMemory
from benchmarks.orders import Cost
from benchmarks.peers.environments import PeerError, last_words
from benchmarks.peers.roster import Way, settings

LONGEST = 240


def run(way: Way, environment: Path, uri: str, table: str, folder: Path, *, afresh: bool) -> Cost:
    """From the start of the peer's process to its end. PeerError when it fails or takes longer than LONGEST seconds.

    `afresh` empties the folder first; else the peer finds there what it left.
    """
    command = ((afresh and way.first) or way.command)(environment, uri, table, folder)
    if afresh:
        shutil.rmtree(folder, ignore_errors=True)
    (folder / "home").mkdir(parents=True, exist_ok=True)
    before, began = _children_cpu(), time.perf_counter()
    with (folder / "log").open("wb") as log:
        try:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=folder, env=settings(folder, uri), start_new_session=True
            )
        except OSError as error:
            raise PeerError(f"does not start: {error}") from error
        try:
            with PeakMemory(lambda: _tree(process.pid)) as peak:
                process.wait(LONGEST)
                wall = time.perf_counter() - began
        except subprocess.TimeoutExpired as error:
            raise PeerError(f"not done within {LONGEST} s") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise PeerError(f"failed: {last_words((folder / 'log').read_text(errors='replace'))}")
    return Cost(wall, _children_cpu() - before, peak.mib)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tree(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
