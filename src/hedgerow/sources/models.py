"""Connections to outside systems, and the tables chosen from them."""

from django.db import models
from django.db.models import Q

from hedgerow.accounts.models import Project, User
from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7
from hedgerow.warehouse.models import Table


class Source(models.Model):
    """One connection (the contract's ExternalDataSource).

    `prefix` is as given; `prefix_key` is what makes it unique: lower case, without trailing underscores (§5.2).
    `sealed_settings` is opened only by `sources.settings`; deleting the source empties it. `last_run_at` is when its
    newest completed run began.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sources")
    source_type = models.CharField(max_length=128)
    prefix = models.CharField(max_length=100, null=True)  # noqa: DJ001 - null and "" are told apart in answers
    prefix_key = models.CharField(max_length=100, blank=True, default="")
    description = models.CharField(max_length=400, null=True)  # noqa: DJ001 - null and "" are told apart in answers
    sealed_settings = models.TextField(blank=True, default="")
    settings_version = models.PositiveIntegerField(default=0)
    revenue_enabled = models.BooleanField(default=False)
    revenue_include_invoiceless_charges = models.BooleanField(default=True)
    last_run_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "source_type", "prefix_key"],
                condition=Q(deleted_at__isnull=True),
                name="one_live_prefix",
            ),
        )
        indexes = (models.Index(fields=["project", "-created_at", "-id"]),)


class SourceTable(models.Model):
    """One table of a source with its sync settings (the contract's ExternalDataSchema).

    `columns`, `detected_key` and `identity` are what discovery last saw: a list of `{"name", "declared", "type",
    "nullable", "cursor_type", "may_lose"}`, the source's own key, and what tells the table from one made anew.
    `changes` are the dated changes of these, newest first (see `sources.shape`).
    `fence` is raised at every start and cancel of a run: only the newest start may write.
    `cursor_value` mirrors the Delta log for screens; `reload_all` asks the next run to read everything.
    `table_uuid` is the id of the warehouse table that runs write: fixed before the first byte is written, so a run
    that died between its commit and its registration is found again; forgotten when the data is deleted.
    `unreachable_runs`: failed runs in a row that could not reach the source. `bad_values` says what becomes of values
    that no stored type can hold (type_mapping.md rule 8).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="source_tables")
    name = models.CharField(max_length=400)
    description = models.TextField(null=True)  # noqa: DJ001 - the contract says null
    table = models.ForeignKey(Table, null=True, on_delete=models.SET_NULL, related_name="source_tables")
    table_name = models.CharField(max_length=140, blank=True, default="")
    table_uuid = models.UUIDField(null=True)
    columns = models.JSONField(default=list)
    detected_key = models.JSONField(default=list)
    identity = models.TextField(null=True)  # noqa: DJ001 - null is "the source has no such thing"

    should_sync = models.BooleanField(default=False)
    sync_type = models.CharField(max_length=32, null=True)  # noqa: DJ001 - null is "not configured yet"
    cursor_field = models.CharField(max_length=400, null=True)  # noqa: DJ001 - the contract says null
    cursor_field_type = models.CharField(max_length=32, null=True)  # noqa: DJ001 - the contract says null
    key_columns = models.JSONField(null=True)
    frequency = models.CharField(max_length=16, default="6hour")
    time_of_day = models.TimeField(null=True)

    status = models.CharField(max_length=32, null=True)  # noqa: DJ001 - null is "never ran"
    latest_error = models.TextField(null=True)  # noqa: DJ001 - the contract says null
    last_synced_at = models.DateTimeField(null=True)
    switched_off_by_engine = models.BooleanField(default=False)
    unreachable_runs = models.PositiveIntegerField(default=0)
    fence = models.BigIntegerField(default=0)
    cursor_value = models.TextField(null=True)  # noqa: DJ001 - null is "no cursor yet"
    reload_all = models.BooleanField(default=False)
    changes = models.JSONField(default=list)
    bad_values = models.CharField(max_length=16, default="null_and_count")
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["source", "name"], name="one_source_table_name"),)
        indexes = (models.Index(fields=["source", "deleted_at", "name"]),)
