"""Schedules: the grid, missed times, resting."""

from datetime import UTC, datetime, timedelta

import pytest

from hedgerow.core import clock
from hedgerow.work import beat, kinds
from hedgerow.work.models import Beat

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "every", "offset", "expected"),
    [
        (MIDNIGHT, 3600, 0, MIDNIGHT + timedelta(hours=1)),
        (MIDNIGHT - timedelta(microseconds=1), 3600, 0, MIDNIGHT),
        (MIDNIGHT, 3600, 90, MIDNIGHT + timedelta(seconds=90)),
        (MIDNIGHT + timedelta(seconds=90), 3600, 90, MIDNIGHT + timedelta(seconds=3690)),
        (MIDNIGHT + timedelta(hours=7), 21600, 1800, MIDNIGHT + timedelta(hours=12, minutes=30)),
    ],
)
def test_the_next_time_lies_on_the_grid_from_midnight(
    after: datetime, every: int, offset: int, expected: datetime
) -> None:
    assert beat.next_time(after, every, offset) == expected


@pytest.fixture
def struck(db: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A kind whose due times are written down."""
    calls: list[str] = []
    kind = kinds.Kind("drum", target=print, start=lambda _: None, settle=lambda _t, _c: None, due=calls.append)
    monkeypatch.setitem(kinds._KINDS, "drum", kind)
    return calls


def test_missed_times_are_made_up_by_one_strike(struck: list[str]) -> None:
    beat.schedule(kind="drum", subject="a", every_seconds=300, offset_seconds=0)
    Beat.objects.update(next_at=clock.now() - timedelta(hours=5))
    assert beat.strike() == 1
    assert beat.strike() == 0
    assert struck == ["a"]
    assert Beat.objects.get().next_at > clock.now()


def test_a_resting_beat_is_not_struck_and_scheduling_wakes_it(struck: list[str]) -> None:
    beat.schedule(kind="drum", subject="a", every_seconds=300, offset_seconds=0)
    beat.pause("drum", "a")
    Beat.objects.update(next_at=clock.now() - timedelta(hours=5))
    assert beat.strike() == 0
    beat.schedule(kind="drum", subject="a", every_seconds=300, offset_seconds=0)
    assert not Beat.objects.get().paused


def test_a_beat_whose_work_cannot_be_enqueued_is_struck_again(
    struck: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("no room")

    beat.schedule(kind="drum", subject="a", every_seconds=300, offset_seconds=0)
    Beat.objects.update(next_at=clock.now() - timedelta(hours=5))
    good = kinds.get("drum")
    monkeypatch.setitem(kinds._KINDS, "drum", kinds.Kind("drum", print, good.start, good.settle, broken))
    with pytest.raises(RuntimeError):
        beat.strike()
    monkeypatch.setitem(kinds._KINDS, "drum", good)
    assert beat.strike() == 1
    assert struck == ["a"]


def test_after_the_clock_was_set_back_no_beat_waits_longer_than_its_pace(
    struck: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    beat.schedule(kind="drum", subject="often", every_seconds=300, offset_seconds=0)
    beat.schedule(kind="drum", subject="daily", every_seconds=86400, offset_seconds=0)
    before = clock.now() - timedelta(hours=5)
    monkeypatch.setattr(beat, "now", lambda: before)

    beat.realign()

    assert Beat.objects.get(subject="often").next_at == beat.next_time(before, 300, 0)
    wait = Beat.objects.get(subject="daily").next_at - before
    assert timedelta(0) < wait <= timedelta(days=1)
    assert struck == []
