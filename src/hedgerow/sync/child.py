"""What runs in a process of its own. Forked from a process that has everything imported; dies with its worker."""

import sys

from hedgerow.core import logs, processes


def sync(run_id: str, fence: int) -> None:
    """Work on one start of a run, then exit with `names.DONE` (the database has been told) or `names.RETRY`."""
    processes.die_with_parent()
    from django.conf import settings

    from hedgerow.sync import run

    logs.configure(settings.CONFIG)
    with logs.about(run=run_id):
        sys.exit(run.execute(run_id, fence, settings.CONFIG))


def erase(location: str) -> None:
    """Erase a dropped table's data."""
    processes.die_with_parent()
    from django.conf import settings

    from hedgerow.lake.storage import Storage

    logs.configure(settings.CONFIG)
    Storage(settings.CONFIG.storage).delete(location)
