"""A clock of its own for a server's processes, set while they run; their stopwatches (the monotonic clock) go on."""

import tempfile
from pathlib import Path

import pytest

from tests.support.server import Server

_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class Clock:
    """The clock of a server that has not been started yet. Skips the test where libfaketime is not installed."""

    def __init__(self, server: Server) -> None:
        if not _LIBRARIES:
            pytest.skip("libfaketime is not installed (Debian's package `faketime`)")
        with tempfile.NamedTemporaryFile("w", prefix="hedgerow-clock-", delete=False) as file:
            self._file = Path(file.name)
        self._server = server
        self.set(0)
        server.environment |= {
            "LD_PRELOAD": str(_LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, hours: float) -> None:
        """The clock is so many hours ahead of the true time. The server takes a kept connection for idle since then."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{hours * 3600:+.0f}\n")
        draft.rename(self._file)
        self._server.hang_up()

    def close(self) -> None:
        self._file.unlink()
