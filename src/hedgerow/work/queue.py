"""Putting tasks into the queue and taking them out: one table, in the caller's own transaction.

Because a task lies in the same database as what it is about, "stored but never started" cannot happen.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from hedgerow.core.clock import now
from hedgerow.work.models import Task, Worker

_CLAIM_LOCK = 0x48656467  # "Hedg": claims of all workers on PostgreSQL, one after the other

LONGEST_DELAY = timedelta(minutes=2)
"""No task waits longer by intention, so one that would was put off by a clock that has since been set back."""

wake = threading.Event()
"""Set when this process's worker has something to look at; saves the wait until its next look."""


def enqueue(
    *,
    kind: str,
    subject: str,
    partition: str = "",
    limit: int = 1,
    not_before: datetime | None = None,
    facts: dict[str, Any] | None = None,
) -> Task:
    """Add a task in the caller's transaction. A second one of the same kind and subject is the first one."""
    task, _ = Task.objects.get_or_create(
        kind=kind,
        subject=subject,
        defaults={
            "partition": partition,
            "partition_limit": limit,
            "not_before": not_before or now(),
            "facts": facts or {},
        },
    )
    transaction.on_commit(wake.set)
    return task


def withdraw(kind: str, subjects: Iterable[str]) -> None:
    """Take tasks back, in the caller's transaction; those being worked on are stopped by their worker at once."""
    Task.objects.filter(kind=kind, subject__in=list(subjects)).delete()
    transaction.on_commit(wake.set)


def claim(worker: str, slots: int) -> list[Task]:
    """Up to `slots` tasks that are due, oldest first, now held by `worker`; no partition goes over its limit."""
    if slots < 1 or not Task.objects.filter(holder=None, not_before__lte=now()).exists():
        return []
    with transaction.atomic():
        _claims_one_at_a_time()
        chosen = _choose(slots)
        Task.objects.filter(id__in=[t.id for t in chosen]).update(holder_id=worker, starts=F("starts") + 1)
    for task in chosen:
        task.holder_id, task.starts = worker, task.starts + 1
    return chosen


def _claims_one_at_a_time() -> None:
    """SQLite's immediate transactions already are; PostgreSQL needs a lock, or two workers pass one limit."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIM_LOCK])


def _choose(slots: int) -> list[Task]:
    load = Counter(Task.objects.exclude(holder=None).exclude(partition="").values_list("partition", flat=True))
    full: set[str] = set()
    chosen: list[Task] = []
    due = Task.objects.filter(holder=None, not_before__lte=now()).order_by("not_before", "id")
    while len(chosen) < slots:
        waiting = due.exclude(partition__in=full).exclude(id__in=[t.id for t in chosen])[: slots * 4]
        before = len(chosen) + len(full)
        for task in waiting:
            if task.partition and load[task.partition] >= task.partition_limit:
                full.add(task.partition)
            elif len(chosen) < slots:
                chosen.append(task)
                load[task.partition] += 1
        if len(chosen) + len(full) == before:
            break
    return chosen


def put_back(task: Task, delay: float) -> None:
    """Let go of a task; it is due again after `delay` seconds. One that was withdrawn meanwhile stays gone."""
    Task.objects.filter(id=task.id, holder_id=task.holder_id).update(
        holder=None, not_before=now() + min(timedelta(seconds=delay), LONGEST_DELAY)
    )
    transaction.on_commit(wake.set)


def finish(task: Task) -> None:
    """The task is done."""
    Task.objects.filter(id=task.id, holder_id=task.holder_id).delete()


def realign() -> None:
    """After the clock was set back: tasks that were due, or soon would be, by the old clock are due now."""
    moment = now()
    Task.objects.filter(holder=None, not_before__gt=moment + LONGEST_DELAY).update(not_before=moment)


def still_held(worker: str) -> set[Any]:
    """Ids of the tasks that `worker` holds; one that is missing was withdrawn, or given to another worker."""
    return set(Task.objects.filter(holder_id=worker).values_list("id", flat=True))


def live_workers() -> int:
    """How many workers have a lease that has not run out."""
    return Worker.objects.filter(until__gt=now()).count()


def waiting_since(moment: datetime) -> int:
    """How many tasks were due before `moment` and have not been taken up."""
    return Task.objects.filter(holder=None, not_before__lt=moment).count()


def subjects_of(kind: str) -> set[str]:
    """What all tasks of a kind are about."""
    return set(Task.objects.filter(kind=kind).values_list("subject", flat=True))


def facts_of(kind: str, name: str) -> list[Any]:
    """One fact of all tasks of a kind."""
    return [facts.get(name) for facts in Task.objects.filter(kind=kind).values_list("facts", flat=True)]
