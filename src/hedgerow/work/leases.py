"""Leases of workers: renewed by each, watched by the others. No clock decides who is dead, only stopwatches do."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Count, F

from hedgerow.core.clock import now
from hedgerow.work.models import Task, Worker

_LONGEST_LOOK: Final = 2.0
"""Seconds of silence that one look can prove: whoever was stopped himself, or saw no database, has seen nothing."""


def take(worker: str, seconds: float) -> None:
    """Register a worker with a lease of so many seconds."""
    Worker.objects.create(id=worker, lease_seconds=seconds, until=now() + timedelta(seconds=seconds))


def renew(worker: str, seconds: float) -> bool:
    """Go on. False: the lease was taken away, and with it every task of the worker."""
    until = now() + timedelta(seconds=seconds)
    return bool(Worker.objects.filter(id=worker).update(until=until, renewals=F("renewals") + 1))


@dataclass
class _Seen:
    renewals: int
    silent: float = 0.0


class Watch:
    """Finds dead workers by looking again and again."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._looked = time.monotonic()

    def bury_dead(self, own: str) -> int:
        """Give the tasks of workers other than `own`, whose leases stood still, back to the queue. Answers how many."""
        moment = time.monotonic()
        passed, self._looked = min(moment - self._looked, _LONGEST_LOOK), moment
        before, self._seen = self._seen, {}
        buried = 0
        workers = Worker.objects.exclude(id=own).values_list("id", "renewals", "lease_seconds")
        for worker, renewals, lease in workers:
            seen = before.get(worker)
            silent = seen.silent + passed if seen and seen.renewals == renewals else 0.0
            self._seen[worker] = _Seen(renewals, silent)
            if silent > lease:
                buried += _bury(worker, renewals)
        return buried


def _bury(worker: str, renewals: int) -> bool:
    """In one transaction with its lease, so that a worker whose lease is still there knows that its tasks are too."""
    with transaction.atomic():
        if not Worker.objects.filter(id=worker, renewals=renewals).update(until=now()):
            return False  # it lives, or somebody else was faster
        Task.objects.filter(holder_id=worker).update(holder=None)
        Worker.objects.filter(id=worker).delete()
    return True


def silent() -> list[tuple[str, datetime, int]]:
    """Workers whose lease has run out by the clock: name, since when, and how many tasks they still hold."""
    expired = Worker.objects.filter(until__lt=now()).annotate(held=Count("tasks")).order_by("until")
    return list(expired.values_list("id", "until", "held"))
