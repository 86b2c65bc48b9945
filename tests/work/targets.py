"""What the worker's tests let it run, each in a process of its own."""

import os
import signal
import sys
import time
from pathlib import Path

from hedgerow.core import processes


def write(path: str, text: str) -> None:
    processes.die_with_parent()
    Path(path).write_text(text)


def leave(code: int) -> None:
    processes.die_with_parent()
    sys.exit(code)


def crash() -> None:
    processes.die_with_parent()
    os.kill(os.getpid(), signal.SIGSEGV)


def linger(path: str) -> None:
    """Says its process id, then works for ever."""
    processes.die_with_parent()
    Path(path).write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)
