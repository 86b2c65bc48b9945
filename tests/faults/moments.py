"""Chosen moments of a run, seen from outside by the files it makes: the run is killed the instant they appear.

A run has no hooks for tests. Looking at a folder takes microseconds, and what comes after each of these files takes
milliseconds, so most kills land where they were meant to.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.faults.rig import Rig

WATCH_SECONDS: Final = 20


Sign = Callable[[list[str]], bool]
"""Asked with the names of the files that a run has made so far, in the order in which they were seen."""


def _is_entry(name: str) -> bool:
    return name.endswith(".json") and name[:20].isdigit()


def _commits(made: list[str]) -> int:
    return sum(_is_entry(name) for name in made)


def _data(made: list[str]) -> int:
    return sum(name.endswith((".parquet", ".bin")) and "checkpoint" not in name for name in made)


def _is_joining(made: list[str]) -> bool:
    """A data file after the commit, which no commit names yet."""
    return _commits(made) == 1 and _data(made[next(i for i, name in enumerate(made) if _is_entry(name)) :]) > 0


MOMENTS: Final[Mapping[str, tuple[str, Sign]]] = {
    "while its rows are written": ("goods", lambda made: _data(made) > 0),
    "while old rows are replaced": ("people", lambda made: _data(made) > 1 and not _commits(made)),
    "between its commit and telling the database": ("events", lambda made: _commits(made) == 1),
    "while small files are joined": ("events", _is_joining),
    "after small files were joined": ("events", lambda made: _commits(made) == 2),
    "while a checkpoint is written": ("events", lambda made: any("checkpoint" in name for name in made)),
}
"""The table to be killed at, and the sign of the moment."""


def kill_at(rig: Rig, table: str, sign: Sign) -> bool:
    """Start a run of the table and kill its process as soon as `sign` shows. False: the run ended without it."""
    folder = rig.folder(table)
    known = _names(folder)
    rig.reload(table)
    process = rig.server.until(rig.children, every=0.005)[0]
    made: list[str] = []
    deadline = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < deadline and process.is_running():
        fresh = _names(folder) - known
        known |= fresh
        made += sorted(fresh, key=_is_entry)
        if sign(made):
            process.kill()
            return True
    return False


def _names(folder: Path) -> set[str]:
    return {name for place in (folder, folder / "_delta_log") for name in os.listdir(place)}  # noqa: PTH208 - quick
