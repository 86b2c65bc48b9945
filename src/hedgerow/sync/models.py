"""One attempt to bring one source table up to date (the contract's job)."""

from django.db import models
from django.db.models import Q

from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7
from hedgerow.sources.models import SourceTable


class RunStatus(models.TextChoices):
    """The contract's words (external_data_sources.md §3.3)."""

    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class Run(models.Model):
    """The truth about one run; the queue carries only its id.

    `fence` is the start that may write: a child's every write is conditional on it. `stage` is one of queued,
    discovering, reading, committing, waiting, done. `attempts` counts starts, `crashes` those whose process ended
    without a word; `next_delay` is what the next try waits, in seconds. `losses` maps a column to
    `{"count", "reason", "sample"}` (see `connectors.contract.Loss`).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source_table = models.ForeignKey(SourceTable, on_delete=models.CASCADE, related_name="runs")
    workflow_run_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    status = models.CharField(max_length=16, choices=RunStatus.choices, default=RunStatus.RUNNING)
    trigger = models.CharField(max_length=16, default="schedule")  # schedule, request, first, resync
    stage = models.CharField(max_length=16, default="queued")
    sync_type = models.CharField(max_length=32, blank=True, default="")
    rows_synced = models.BigIntegerField(default=0)
    latest_error = models.TextField(null=True)  # noqa: DJ001 - the contract says null
    fence = models.BigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    crashes = models.PositiveIntegerField(default=0)
    waited_seconds = models.FloatField(default=0)
    next_delay = models.FloatField(default=0)
    cursor_from = models.TextField(null=True)  # noqa: DJ001 - null is "from the start"
    cursor_to = models.TextField(null=True)  # noqa: DJ001 - null is "no cursor"
    losses = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["source_table"],
                condition=Q(status="Running"),
                name="one_running_run",
            ),
        )
        indexes = (
            models.Index(fields=["source_table", "-created_at", "-id"]),
            models.Index(fields=["-created_at"], name="newest_run"),
        )
