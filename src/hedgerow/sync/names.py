"""Words that the queue and the warehouse know this room's things by."""

from typing import Final

SYNC: Final = "sync"
ERASE: Final = "erase"
SOURCE: Final = "external_data_source"
