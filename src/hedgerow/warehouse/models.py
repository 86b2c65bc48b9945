"""What can be queried: tables, and the queries people ran."""

from django.db import models
from django.db.models import Q

from hedgerow.accounts.models import Project, User
from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7


class Table(models.Model):
    """One Delta table that SQL of its project can name.

    `columns` is a list of `{"name", "type", "stored"}` in table order: the contract's type names, and those of SQL.
    `owner_kind` and `owner_id` name what it belongs to (`external_data_source`, a source's id), whose access rules it
    follows.
    `location` is relative to the storage's root and never reused, so a late writer of a dropped table hits nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tables")
    name = models.CharField(max_length=140)
    location = models.CharField(max_length=400, unique=True)
    format = models.CharField(max_length=20, default="Delta")
    columns = models.JSONField(default=list)
    row_count = models.BigIntegerField(null=True)
    version = models.BigIntegerField(null=True)
    owner_kind = models.CharField(max_length=64, blank=True, default="")
    owner_id = models.CharField(max_length=64, blank=True, default="")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "name"], condition=Q(deleted_at__isnull=True), name="one_live_table_name"
            ),
        )
        indexes = (models.Index(fields=["owner_kind", "owner_id"]),)


class QueryRun(models.Model):
    """One asynchronous query: its status survives a restart; kept 20 minutes (api_conventions.md §11.2).

    `results` is the whole answer as JSON text. `holder` names the server process that works on it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    query_id = models.CharField(max_length=200)
    state = models.CharField(max_length=16, default="queued")  # queued, running, complete, failed, cancelled
    error_message = models.TextField(blank=True, default="")
    error_is_users = models.BooleanField(default=False)
    results = models.TextField(blank=True, default="")
    holder = models.CharField(max_length=300)
    start_time = models.DateTimeField(default=now)
    pickup_time = models.DateTimeField(null=True)
    end_time = models.DateTimeField(null=True)
    expiration_time = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "user", "query_id"], name="one_query_id"),)
        indexes = (models.Index(fields=["expiration_time"]),)
