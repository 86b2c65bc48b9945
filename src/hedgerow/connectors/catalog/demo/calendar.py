"""When things happen in the shop: how often, and how much has happened by a moment."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hedgerow.core import clock

OPENED: Final = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE: Final = 60
DAY: Final = 86_400
CUSTOMER_SECONDS: Final = 90 * MINUTE
ORDER_SECONDS: Final = 20 * MINUTE
EVENT_SECONDS: Final = 10 * MINUTE
PRODUCTS: Final = 240


@dataclass(frozen=True)
class Moment:
    """When the shop is looked at, in seconds since it opened."""

    seconds: int

    def passed(self, every: int) -> int:
        """How many things have happened by now, one after each `every` seconds."""
        return max(0, self.seconds // every)

    def begun(self, every: int) -> int:
        """The same when the first one happened as the shop opened."""
        return max(0, self.seconds // every + 1)


def now() -> Moment:
    """This moment, to the second."""
    return Moment(int((clock.now() - OPENED).total_seconds()))
