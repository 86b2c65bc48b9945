"""Is anybody working, and can tables be written? Read by the health routes and `doctor`."""

import tempfile
from pathlib import Path

from hedgerow.core.errors import BrokenError
from hedgerow.lake.storage import Storage
from hedgerow.work import queue


def worker_alive() -> bool:
    """Whether at least one worker has a live lease."""
    return queue.live_workers() > 0


def storage_writable(url: str) -> bool:
    """Whether tables can be written under `url`. A folder is tried without loading Arrow, which the server has not."""
    storage = Storage(url)
    try:
        if storage.is_local:
            Path(storage.root).mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=storage.root, prefix=".probe-") as probe:
                probe.write(b"hedgerow")
                probe.flush()
        else:
            storage.check()
    except (OSError, BrokenError):
        return False
    return True
