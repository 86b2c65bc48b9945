"""The queue, the workers' leases and the schedules."""

from django.db import models

from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7


class Worker(models.Model):
    """A process that works on tasks. It renews its lease of `lease_seconds` again and again, counting `renewals`.

    Other workers take it for dead when `renewals` stood still for so long by their own stopwatch (`work.leases`):
    clocks of several machines differ, and jump. `until` is for those who look only once, as health checks do.
    """

    id = models.CharField(primary_key=True, max_length=100)
    started_at = models.DateTimeField(default=now)
    until = models.DateTimeField()
    lease_seconds = models.FloatField(default=30)
    renewals = models.BigIntegerField(default=0)


class Task(models.Model):
    """One thing to be done; the row goes when it is done. `subject` is the id of what it is about.

    A task with `holder` is being worked on. `partition` and `partition_limit`: at most so many held tasks share
    the partition, over all workers. `starts` counts how often it was taken up.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=32)
    subject = models.CharField(max_length=64)
    partition = models.CharField(max_length=100, blank=True, default="")
    partition_limit = models.PositiveIntegerField(default=1)
    not_before = models.DateTimeField(default=now)
    holder = models.ForeignKey(Worker, null=True, on_delete=models.SET_NULL, related_name="tasks")
    starts = models.PositiveIntegerField(default=0)
    cancelled = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)
    facts = models.JSONField(default=dict)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["kind", "subject"], name="one_task_each"),)
        indexes = (models.Index(fields=["holder", "not_before", "id"]), models.Index(fields=["partition", "holder"]))


class Beat(models.Model):
    """A schedule: `kind` of `subject` is due every `every_seconds`, counted from midnight UTC plus `offset_seconds`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=32)
    subject = models.CharField(max_length=64)
    every_seconds = models.PositiveIntegerField()
    offset_seconds = models.PositiveIntegerField(default=0)
    paused = models.BooleanField(default=False)
    next_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["kind", "subject"], name="one_beat_each"),)
        indexes = (models.Index(fields=["paused", "next_at"]),)
