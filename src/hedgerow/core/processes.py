"""Processes of our own: forked in milliseconds from one helper that has everything imported, dead with their parent.

A run or a query never happens in the server's process, so a native crash, a leak or a kill cannot touch it. The
helper is the standard library's fork server: it runs no thread of ours, so forking it is safe, and what it has
imported is shared memory.
"""

import ctypes
import os
import signal
import sys
import threading
from functools import cache
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running
from types import ModuleType
from typing import Final

PRELOAD: Final = ["hedgerow.lake.preload", "hedgerow.sync.preload"]
"""Imported once by the helper. Absent rooms are passed over by the standard library."""

_PR_SET_PDEATHSIG: Final = 1
_starting = threading.Lock()


@cache
def forkserver_context() -> ForkServerContext:
    """The one context that processes are made from."""
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


def warm_up() -> None:
    """Start the helper now, so that the first run does not wait for its imports."""
    forkserver_context()
    ensure_running()


def start(process: ForkServerProcess) -> None:
    """Start a process without running the server's own `__main__` in it, as the standard library would.

    That may be a test runner or the command line: slow to import, and nothing a process of ours needs.
    """
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            process.start()
        finally:
            sys.modules["__main__"] = main


def die_with_parent() -> None:
    """Called first thing in a new process: it ends when the server ends, whatever killed that.

    On Linux the kernel sees to it (the helper ends with the server, this process with the helper); everywhere a
    thread also watches the server itself.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), name="parent-watch", daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
