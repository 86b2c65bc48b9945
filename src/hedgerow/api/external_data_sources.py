"""/external_data_sources/: connections to outside systems (external_data_sources.md §7)."""

from datetime import UTC, datetime
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import access
from hedgerow.api import external_data_schemas as schemas
from hedgerow.api.bodies import plain
from hedgerow.api.checks import ProjectView
from hedgerow.api.fields import timestamp
from hedgerow.core.errors import BadRequestError, NotFoundError
from hedgerow.core.ids import parse_uuid
from hedgerow.sources import choose, naming, queries, services, settings, status
from hedgerow.sources.models import Source
from hedgerow.sync import lifecycle
from hedgerow.sync.models import Run, RunStatus

SOURCE: Final = schemas.SOURCE


# --- shapes (§3.1, §3.3, §3.4) -----------------------------------------------------------------------------------


class RevenueConfigSerializer(serializers.Serializer[Any]):
    """The revenue flags of a source."""

    enabled = serializers.BooleanField()
    include_invoiceless_charges = serializers.BooleanField()


class ExternalDataSourceSerializer(serializers.Serializer[Any]):
    """One source. `description` and `job_inputs` are what a PATCH may set."""

    id = serializers.UUIDField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True, allow_null=True)
    status = serializers.ChoiceField(read_only=True, choices=["Running", "Completed", "Failed", "Cancelled", "Paused"])
    client_secret = serializers.CharField(write_only=True, required=False, help_text="Accepted and ignored.")
    account_id = serializers.CharField(write_only=True, required=False, help_text="Accepted and ignored.")
    source_type = serializers.CharField(read_only=True)
    latest_error = serializers.CharField(read_only=True, allow_null=True)
    prefix = serializers.CharField(read_only=True, allow_null=True)
    description = serializers.CharField(allow_null=True, allow_blank=True, max_length=services.DESCRIPTION_LENGTH)
    last_run_at = serializers.DateTimeField(read_only=True, allow_null=True)
    schemas = schemas.ExternalDataSchemaSerializer(read_only=True, many=True)
    job_inputs = serializers.DictField(help_text="Connection settings; secrets are never shown.")
    revenue_analytics_config = RevenueConfigSerializer(read_only=True)
    user_access_level = serializers.ChoiceField(read_only=True, choices=["viewer", "editor", "manager"])


class ChosenTableSerializer(serializers.Serializer[Any]):
    """A table to take over, and how it is synced."""

    name = serializers.CharField()
    should_sync = serializers.BooleanField(default=False)
    sync_type = serializers.ChoiceField(required=False, allow_null=True, choices=choose.SYNC_TYPES)
    incremental_field = serializers.CharField(required=False, allow_null=True)
    incremental_field_type = serializers.ChoiceField(required=False, allow_null=True, choices=choose.CURSOR_TYPES)
    primary_key_columns = serializers.ListField(required=False, allow_null=True, child=serializers.CharField())
    sync_time_of_day = serializers.TimeField(required=False, allow_null=True)
    sync_frequency = serializers.ChoiceField(default="6hour", choices=choose.FREQUENCIES)
    bad_values = serializers.ChoiceField(
        default="null_and_count", choices=choose.BAD_VALUES, help_text=schemas.BAD_VALUES
    )


class ExternalDataSourcePayloadSerializer(serializers.Serializer[Any]):
    """The settings of the connection, whose names depend on the type, next to the tables."""

    schemas = ChosenTableSerializer(many=True)


class ExternalDataSourceCreateSerializer(serializers.Serializer[Any]):
    """What makes a source (§7.2)."""

    source_type = serializers.CharField()
    payload = ExternalDataSourcePayloadSerializer()
    prefix = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=naming.PREFIX_LENGTH)
    description = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=services.DESCRIPTION_LENGTH
    )
    client_secret = serializers.CharField(required=False, help_text="Accepted and ignored.")
    account_id = serializers.CharField(required=False, help_text="Accepted and ignored.")
    job_inputs = serializers.DictField(required=False, help_text="Stands in for an absent payload.")


class ExternalDataJobSchemaSerializer(serializers.Serializer[Any]):
    """The schema of a job, as it is now."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    should_sync = serializers.BooleanField()
    last_synced_at = serializers.DateTimeField(allow_null=True)
    sync_type = serializers.ChoiceField(allow_null=True, choices=choose.SYNC_TYPES)


class LossSerializer(serializers.Serializer[Any]):
    """Values of a column that could not be stored, or not whole; `sample` names some of their rows by the key."""

    count = serializers.IntegerField()
    reason = serializers.CharField()
    sample = serializers.ListField(child=serializers.CharField())


class ExternalDataJobSerializer(serializers.Serializer[Any]):
    """One run of one schema."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(choices=RunStatus.choices)
    schema = ExternalDataJobSchemaSerializer()
    rows_synced = serializers.IntegerField()
    latest_error = serializers.CharField(allow_null=True)
    workflow_run_id = serializers.CharField()
    losses = serializers.DictField(child=LossSerializer(), help_text="By column of the source.")


class SourceTypeSerializer(serializers.Serializer[Any]):
    """A source type; next to it stand its settings."""

    source_type = serializers.CharField()


class SourcePrefixSerializer(SourceTypeSerializer):
    """A prefix to be tried."""

    prefix = serializers.CharField(required=False, allow_null=True, allow_blank=True)


class OfferedTableSerializer(serializers.Serializer[Any]):
    """A table of a source that does not exist yet."""

    table = serializers.CharField()
    should_sync = serializers.BooleanField()
    incremental_fields = schemas.CursorFieldSerializer(many=True)
    incremental_available = serializers.BooleanField()
    append_available = serializers.BooleanField()
    incremental_field = serializers.CharField(allow_null=True)
    sync_type = serializers.CharField(allow_null=True)
    rows = serializers.IntegerField(allow_null=True)
    should_sync_default = serializers.BooleanField()
    description = serializers.CharField(allow_null=True)
    available_columns = schemas.AvailableColumnSerializer(many=True)
    detected_primary_keys = serializers.ListField(allow_null=True, child=serializers.CharField())


class DiscoveredSerializer(serializers.Serializer[Any]):
    """What discovery found."""

    added = serializers.IntegerField()
    deleted = serializers.IntegerField()
    total_tables_seen = serializers.IntegerField()


def job_to_dict(run: Run) -> dict[str, Any]:
    """A run as the contract's job."""
    table = run.source_table
    return {
        "id": str(run.id),
        "created_at": timestamp(run.created_at),
        "created_by": None,
        "finished_at": timestamp(run.finished_at),
        "status": run.status,
        "schema": {
            "id": str(table.id),
            "name": table.name,
            "should_sync": table.should_sync,
            "last_synced_at": timestamp(table.last_synced_at),
            "sync_type": table.sync_type,
        },
        "rows_synced": run.rows_synced,
        "latest_error": run.latest_error,
        "workflow_run_id": str(run.workflow_run_id),
        "losses": run.losses,
    }


# --- routes ------------------------------------------------------------------------------------------------------


class ExternalDataSourceView(ProjectView):
    scope_object = SOURCE
    resource = SOURCE
    scopes = {"jobs": "read", "wizard": "read", "source_prefix": "read"}

    @extend_schema(
        parameters=[
            OpenApiParameter("search", OpenApiTypes.STR, description="Terms in id, type, prefix or description."),
        ],
        responses=ExternalDataSourceSerializer(many=True),
    )
    def list(self, request: Request, project_id: str) -> Response:
        sources = access.narrow(self.actor, SOURCE, queries.live_sources(self.project))
        return self.page(queries.search_sources(sources, request.query_params.get("search", "")), self._to_dict)

    @extend_schema(request=ExternalDataSourceCreateSerializer, responses={201: ExternalDataSourceSerializer})
    def create(self, request: Request, project_id: str) -> Response:
        source = lifecycle.connect(project=self.project, user=self.actor.user, data=self._body("payload"))
        return Response(self._shown(source), status=201)

    @extend_schema(responses=ExternalDataSourceSerializer)
    def retrieve(self, request: Request, project_id: str, id: str) -> Response:
        return Response(self._to_dict(self._source(id)))

    @extend_schema(request=ExternalDataSourceSerializer(partial=True), responses=ExternalDataSourceSerializer)
    def partial_update(self, request: Request, project_id: str, id: str) -> Response:
        changes = self._body()
        services.check_update(changes)
        source = self._source(id)
        services.update(source, changes)
        return Response(self._shown(source))

    @extend_schema(request=ExternalDataSourceSerializer(partial=True), responses=ExternalDataSourceSerializer)
    def update(self, request: Request, project_id: str, id: str) -> Response:
        """PUT changes what it names, like PATCH (§2)."""
        return self.partial_update(request, project_id, id)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: str, id: str) -> Response:
        lifecycle.disconnect(self._source(id))
        return Response(status=204)

    @extend_schema(
        parameters=[
            OpenApiParameter("after", OpenApiTypes.DATETIME),
            OpenApiParameter("before", OpenApiTypes.DATETIME),
            OpenApiParameter("schemas", OpenApiTypes.STR, many=True, description="Only jobs of these schemas."),
        ],
        responses=ExternalDataJobSerializer(many=True),
    )
    def jobs(self, request: Request, project_id: str, id: str) -> Response:
        after, before = self._moment("after"), self._moment("before")
        names = request.query_params.getlist("schemas")
        runs = lifecycle.jobs(self._source(id), after=after, before=before, names=names)
        return Response([job_to_dict(run) for run in runs])

    @extend_schema(request=None, responses={200: None})
    def reload(self, request: Request, project_id: str, id: str) -> Response:
        lifecycle.reload_source(self._source(id))
        return Response()

    @extend_schema(request=RevenueConfigSerializer(partial=True), responses=ExternalDataSourceSerializer)
    def revenue_analytics_config(self, request: Request, project_id: str, id: str) -> Response:
        services.check_revenue(self.body)
        source = self._source(id)
        services.configure_revenue(source, self.body)
        return Response(self._shown(source))

    @extend_schema(request=None, responses=DiscoveredSerializer)
    def refresh_schemas(self, request: Request, project_id: str, id: str) -> Response:
        found = services.refresh(self._source(id))
        return Response({"added": found.added, "deleted": found.deleted, "total_tables_seen": found.total})

    @extend_schema(request=SourceTypeSerializer, responses=OfferedTableSerializer(many=True))
    def database_schema(self, request: Request, project_id: str) -> Response:
        return Response(services.preview({name: plain(value) for name, value in self.body.items()}))

    @extend_schema(request=SourcePrefixSerializer, responses={200: None})
    def source_prefix(self, request: Request, project_id: str) -> Response:
        services.check_prefix(self.project, self.body)
        return Response()

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def wizard(self, request: Request, project_id: str) -> Response:
        return Response(services.wizard())

    def created_by_caller(self) -> bool:
        found = self._find(self.kwargs["id"])
        return found is not None and found.created_by_id == self.actor.user.pk

    def _body(self, *objects: str) -> dict[str, Any]:
        """The body; form bodies hold objects as JSON text."""
        return self.body | {name: plain(self.body[name]) for name in (*objects, "job_inputs") if name in self.body}

    def _moment(self, name: str) -> datetime | None:
        """A time in the query; without zone it is UTC (§7.6). Raises BadRequestError."""
        text = self.request.query_params.get(name, "").strip()
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise BadRequestError(f"Invalid date: {name}", field=name) from None

    def _find(self, id: str) -> Source | None:
        source_id = parse_uuid(id)
        return queries.live_sources(self.project).filter(id=source_id).first() if source_id else None

    def _source(self, id: str) -> Source:
        """The source addressed, if the caller's level on it is enough. Raises NotFoundError, DeniedError."""
        found = self._find(id)
        if found is None:
            raise NotFoundError
        level = "viewer" if self.needed_scope(self.action).endswith(":read") else "editor"
        access.require_object(self.actor, SOURCE, str(found.id), creator_id=found.created_by_id, level=level)
        return found

    def _shown(self, source: Source) -> dict[str, Any]:
        """The source as it is stored now."""
        found = self._find(str(source.id))
        if found is None:  # deleted by somebody else meanwhile
            raise NotFoundError
        return self._to_dict(found)

    def _to_dict(self, source: Source) -> dict[str, Any]:
        tables = queries.tables_of(source)
        return {
            "id": str(source.id),
            "created_at": timestamp(source.created_at),
            "created_by": source.created_by.email if source.created_by else None,
            "status": status.of_source(tables),
            "source_type": source.source_type,
            "latest_error": status.latest_error(tables),
            "prefix": source.prefix,
            "description": source.description,
            "last_run_at": timestamp(source.last_run_at),
            "schemas": [schemas.to_dict(table) for table in tables],
            "job_inputs": settings.public(source),
            "revenue_analytics_config": {
                "enabled": source.revenue_enabled,
                "include_invoiceless_charges": source.revenue_include_invoiceless_charges,
            },
            "user_access_level": access.level_for(self.actor, SOURCE, str(source.id), creator_id=source.created_by_id),
        }
