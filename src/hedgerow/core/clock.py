"""The only clock. Everything that needs the time asks here, so tests can move it."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def not_before(earlier: datetime) -> datetime:
    """Now, but never before `earlier`: an end does not lie before its beginning when the clock was set back."""
    return max(now(), earlier)
