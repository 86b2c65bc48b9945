"""There is one clock, and it knows its time zone."""

from datetime import UTC, datetime, timedelta

import pytest

from hedgerow.core import clock
from hedgerow.core.clock import now


def test_the_time_is_aware_and_in_utc() -> None:
    moment = now()

    assert moment.tzinfo is UTC
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=5)


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which the clock is off; the stopwatch goes on undisturbed."""
    off = [0.0]
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(seconds=off[0]))
    return off


def test_a_clock_set_back_is_noticed_once(shift: list[float]) -> None:
    steps = clock.Steps()
    assert steps.set_back(), "of the time before nobody knows"
    assert not steps.set_back()

    shift[0] = -7200

    assert steps.set_back()
    assert not steps.set_back()


def test_a_clock_set_forward_is_noticed_only_when_it_is_set_right_again(shift: list[float]) -> None:
    steps = clock.Steps()
    steps.set_back()
    shift[0] = 7200
    assert not steps.set_back()

    shift[0] = 0

    assert steps.set_back()


def test_small_corrections_count_once_they_add_up(shift: list[float]) -> None:
    steps = clock.Steps()
    steps.set_back()
    found = []
    for _ in range(4):
        shift[0] -= 0.4
        found.append(steps.set_back())

    assert found == [False, False, True, False]
