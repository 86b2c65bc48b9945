"""How long tests with random input go on: bounded in `make test`, many times as long in `make soak`."""

import os
from typing import Final

FACTOR: Final = int(os.environ.get("SOAK", "1"))
"""What HEDGEROW_SOAK said; the name differs because Hedgerow refuses settings that it does not know."""


def times(bounded: int) -> int:
    """How many rounds, examples or kills: `bounded` in `make test`."""
    return bounded * FACTOR
