"""Words that the queue and the warehouse know this room's things by."""

from typing import Final

SYNC: Final = "sync"
ERASE: Final = "erase"
DONE: Final = 0
UNTOLD: Final = 74
RETRY: Final = 75
"""Exit codes of a run's process: the database has been told how it ended, could not be told (it is down, or its disk
is full), or has been told that the run waits to try again."""

SOURCE: Final = "external_data_source"
