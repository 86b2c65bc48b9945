"""Folders for what does not fit into memory, which do not stay behind when their process is killed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

_PREFIX: Final = "hedgerow-merge-"
_NEW_SECONDS: Final = 60
"""A folder so new may not have been locked yet."""


class SpillFolder:
    """A folder of this process's own, until `close`. Making one takes away those of processes that were killed.

    The owner holds a lock on its folder, which the kernel drops however the process ends.
    """

    def __init__(self) -> None:
        _take_away_abandoned(Path(tempfile.gettempdir()))
        self.path = tempfile.mkdtemp(prefix=_PREFIX)
        self._lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _take_away_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, or gone meanwhile
            if folder.stat().st_mtime > time.time() - _NEW_SECONDS:
                continue
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
