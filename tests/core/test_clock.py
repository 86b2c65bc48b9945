"""There is one clock, and it knows its time zone."""

from datetime import UTC, datetime, timedelta

from hedgerow.core.clock import now


def test_the_time_is_aware_and_in_utc() -> None:
    moment = now()

    assert moment.tzinfo is UTC
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=5)
