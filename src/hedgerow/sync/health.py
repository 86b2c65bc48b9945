"""Is anybody working? Read by the health routes and `doctor`."""

from hedgerow.work import queue


def worker_alive() -> bool:
    """Whether at least one worker has a live lease."""
    return queue.live_workers() > 0
