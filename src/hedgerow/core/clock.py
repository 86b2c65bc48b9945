"""The only clock. Everything that needs the time asks here, so tests can move it."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def not_before(earlier: datetime) -> datetime:
    """Now, but never before `earlier`: an end does not lie before its beginning when the clock was set back."""
    return max(now(), earlier)


class Steps:
    """Notices that the clock was set back, by a stopwatch that never is."""

    _SMALLEST = 1.0  # seconds; less is what a clock that is kept right by the network does all day

    def __init__(self) -> None:
        self._ahead: float | None = None

    def set_back(self) -> bool:
        """Whether the clock was set back since the last question. At the first one nobody knows: then it is True."""
        ahead = now().timestamp() - time.monotonic()
        if self._ahead is None or ahead < self._ahead - self._SMALLEST:
            self._ahead = ahead
            return True
        self._ahead = max(self._ahead, ahead)
        return False
