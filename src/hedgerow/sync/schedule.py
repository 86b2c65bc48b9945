"""When a table is due (external_data_sources.md §9.2): pure."""

import uuid
from datetime import time
from typing import Final

MINUTE: Final = 60
DAY: Final = 86_400
NEVER: Final = "never"

SECONDS: Final = {
    "5min": 5 * MINUTE,
    "15min": 15 * MINUTE,
    "30min": 30 * MINUTE,
    "1hour": 60 * MINUTE,
    "6hour": 6 * 60 * MINUTE,
    "12hour": 12 * 60 * MINUTE,
    "24hour": DAY,
    "7day": 7 * DAY,
    "30day": 30 * DAY,
}


def offset_seconds(frequency: str, time_of_day: time | None, table_id: uuid.UUID) -> int:
    """Seconds after midnight UTC that a table's times lie: its time of day, else a stable share by its id."""
    interval = SECONDS[frequency]
    if time_of_day is not None:
        return (time_of_day.hour * 3600 + time_of_day.minute * 60 + time_of_day.second) % interval
    return table_id.int % min(interval, DAY)
