"""How the benchmarks measure: medians, memory of a process tree, and the tables they print."""

import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

README = Path(__file__).with_name("README.md")
_began = time.monotonic()


class PeakMemory:
    """Samples the summed memory of some processes every 200 ms. Shared pages count once (PSS, Linux)."""

    def __init__(self, processes: Callable[[], list[psutil.Process]]) -> None:
        self._processes = processes
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.mib = 0.0

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(0.2):
            self.mib = max(self.mib, memory_mib(self._processes()))


def memory_mib(processes: list[psutil.Process]) -> float:
    """Proportional set size of all together, in MiB."""
    total = 0
    for process in processes:
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """User and system time of all together, in seconds, and of those they started that have ended."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def progress(text: str) -> None:
    """A line for who waits."""
    print(f"{time.monotonic() - _began:6.0f} s  {text}", file=sys.stderr, flush=True)


def spread(values: Sequence[float]) -> str:
    """`median (least to greatest)`."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is its head."""
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *body])


def circumstances(command: str) -> str:
    """One sentence for under a table: what made it, of which commit, on which machine, when."""
    git = ["git", "-C", str(README.parent), "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"Made by `{command}` at commit {commit}, {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, Python {platform.python_version()}, the source's PostgreSQL on the same cores."
    )


def publish(section: str, text: str, write: bool) -> None:
    """Print; and with `write`, put the text between `<!-- section: … -->` and `<!-- /section -->` of the README."""
    print(text)
    if not write:
        return
    page = README.read_text()
    before, opening, rest = page.partition(f"<!-- {section}: ")
    comment, closing, rest = rest.partition(" -->\n")
    _, end, after = rest.partition(f"<!-- /{section} -->")
    if not (opening and closing and end):
        raise ValueError(f"{README} has no section {section}")
    README.write_text(f"{before}{opening}{comment}{closing}{text}\n{end}{after}")
