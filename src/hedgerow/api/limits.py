"""How many requests a key, or an address that tries bad keys, may send (api_conventions.md §8).

Counters live in this process: one server answers all requests of an installation. Windows begin with their
first request.
"""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from django.conf import settings

from hedgerow.api.errors import ThrottledError

MINUTE: Final = 60
HOUR: Final = 3600
LIMITS: Final[Mapping[str, tuple[tuple[int, int], ...]]] = {
    # kind of route: (requests, seconds)
    "ordinary": ((480, MINUTE), (4800, HOUR)),
    "analytic": ((240, MINUTE), (1200, HOUR)),
    "query": ((240, MINUTE), (2400, HOUR)),
}
_MANY: Final = 10_000

_lock = threading.Lock()
_windows: dict[tuple[str, str, int], "Window"] = {}


@dataclass
class Window:
    """Requests counted until `ends`, on this process's stopwatch: a clock set back must not lock anybody out."""

    most: int
    ends: float
    used: int = 0

    def headers(self, moment: float) -> dict[str, str]:
        """What every answer carries while limits are on."""
        return {
            "RateLimit-Limit": str(self.most),
            "RateLimit-Remaining": str(self.most - self.used),
            "RateLimit-Reset": str(max(1, math.ceil(self.ends - moment))),
        }


def count(kind: str, who: str) -> dict[str, str]:
    """Counts one request of `who` on routes of this kind. Returns the headers; raises ThrottledError when over.

    Nothing happens, and there are no headers, unless limits are switched on. Refused requests are not counted.
    """
    if not settings.CONFIG.rate_limits:
        return {}
    moment = monotonic()
    with _lock:
        _forget(moment)
        windows = [_window(kind, who, most, seconds, moment) for most, seconds in LIMITS[kind]]
        full = [window for window in windows if window.used >= window.most]
        if full:
            longest = max(full, key=lambda window: window.ends)
            raise ThrottledError(longest.ends - moment, longest.headers(moment))
        for window in windows:
            window.used += 1
        return min(windows, key=lambda window: window.most - window.used).headers(moment)


def _window(kind: str, who: str, most: int, seconds: int, moment: float) -> "Window":
    """The counter's current window; a new one when the last has ended."""
    window = _windows.get((kind, who, seconds))
    if window is None or moment >= window.ends:
        window = _windows[kind, who, seconds] = Window(most, moment + seconds)
    return window


def _forget(moment: float) -> None:
    if len(_windows) > _MANY:
        for name in [name for name, window in _windows.items() if moment >= window.ends]:
            del _windows[name]


def reset() -> None:
    """Forgets every count."""
    with _lock:
        _windows.clear()
