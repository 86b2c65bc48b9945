"""When a table is due."""

from datetime import time
from uuid import UUID

from hedgerow.sync.schedule import DAY, SECONDS, offset_seconds

ONE = UUID(int=0x0199D3AA51C57B0E9A353D8F7F0C2E11)


def test_a_time_of_day_counts_within_the_interval() -> None:
    assert offset_seconds("24hour", time(13, 30), ONE) == 13 * 3600 + 1800
    assert offset_seconds("6hour", time(13, 30), ONE) == 3600 + 1800
    assert offset_seconds("7day", time(13, 30), ONE) == 13 * 3600 + 1800


def test_midnight_is_a_value_not_unset() -> None:
    assert offset_seconds("24hour", time(0, 0), ONE) == 0


def test_without_time_of_day_load_spreads_but_stays_stable() -> None:
    ids = [UUID(int=ONE.int + 7919 * n) for n in range(200)]
    offsets = {offset_seconds("6hour", None, i) for i in ids}
    assert len(offsets) > 150
    assert offset_seconds("6hour", None, ONE) == offset_seconds("6hour", None, ONE)
    for frequency, interval in SECONDS.items():
        assert all(0 <= offset_seconds(frequency, None, i) < min(interval, DAY) for i in ids)
