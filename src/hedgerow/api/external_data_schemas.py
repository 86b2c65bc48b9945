"""/external_data_schemas/: the tables of sources (external_data_sources.md §8)."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import access
from hedgerow.api.bodies import plain
from hedgerow.api.checks import ProjectView
from hedgerow.api.fields import timestamp
from hedgerow.core.errors import NotFoundError
from hedgerow.core.ids import parse_uuid
from hedgerow.sources import choose, queries, services, shape
from hedgerow.sources.models import SourceTable
from hedgerow.sync import lifecycle, report
from hedgerow.warehouse.models import Table

SOURCE: Final = "external_data_source"
SHOWN: Final = 20
"""Changes of a table in answers that hold many tables."""
BAD_VALUES: Final = (
    "What becomes of values that no table can hold: null and counted in the job; that, and the source's own text in "
    "another column, <column>__raw; or the job fails at the first one."
)


# --- shapes (§3.2) -----------------------------------------------------------------------------------------------


class ColumnSerializer(serializers.Serializer[Any]):
    """A column of a warehouse table."""

    key = serializers.CharField()
    name = serializers.CharField()
    type = serializers.ChoiceField(
        choices=["integer", "float", "decimal", "string", "datetime", "date", "boolean", "array", "json"]
    )
    schema_valid = serializers.BooleanField()
    fields = serializers.JSONField(allow_null=True)  # type: ignore[assignment] # a column of the contract
    table = serializers.CharField(allow_null=True)
    chain = serializers.JSONField(allow_null=True)


class SyncedTableSerializer(serializers.Serializer[Any]):
    """The warehouse table of a schema."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    columns = ColumnSerializer(many=True)
    row_count = serializers.IntegerField(allow_null=True)


class SchemaChangeSerializer(serializers.Serializer[Any]):
    """A change of the table's shape in the source. `run` is the job that brought it here, null until one has."""

    at = serializers.DateTimeField(help_text="When it was seen.")
    change = serializers.ChoiceField(choices=shape.KINDS)
    column = serializers.CharField(allow_null=True, help_text="Null where the whole table is meant.")
    to = serializers.CharField(allow_null=True)
    message = serializers.CharField()
    run = serializers.UUIDField(allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With `from`, which is no name in Python."""
        return {**super().get_fields(), "from": serializers.CharField(allow_null=True, help_text="Types, or keys.")}


class ExternalDataSchemaSerializer(serializers.Serializer[Any]):
    """One table of a source. The fields that are not read-only are those a PATCH may set."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(read_only=True)
    table = SyncedTableSerializer(read_only=True, allow_null=True)
    should_sync = serializers.BooleanField()
    last_synced_at = serializers.DateTimeField(read_only=True, allow_null=True)
    latest_error = serializers.CharField(read_only=True, allow_null=True)
    incremental = serializers.BooleanField(read_only=True)
    status = serializers.ChoiceField(
        read_only=True, allow_null=True, choices=["Running", "Completed", "Failed", "Cancelled"]
    )
    sync_type = serializers.ChoiceField(allow_null=True, choices=choose.SYNC_TYPES)
    incremental_field = serializers.CharField(allow_null=True)
    incremental_field_type = serializers.ChoiceField(allow_null=True, choices=choose.CURSOR_TYPES)
    sync_frequency = serializers.ChoiceField(allow_null=True, choices=choose.FREQUENCIES)
    sync_time_of_day = serializers.TimeField(allow_null=True)
    description = serializers.CharField(read_only=True, allow_null=True)
    primary_key_columns = serializers.ListField(allow_null=True, child=serializers.CharField())
    schema_changes = SchemaChangeSerializer(
        read_only=True,
        many=True,
        help_text=f"Newest first: at most {SHOWN} in lists and in sources, {shape.KEPT} when one schema is retrieved.",
    )
    bad_values = serializers.ChoiceField(choices=choose.BAD_VALUES, help_text=BAD_VALUES)


class CursorFieldSerializer(serializers.Serializer[Any]):
    """A column usable as a cursor: `label` and `type` to show, `field` and `field_type` to send back."""

    label = serializers.CharField()  # type: ignore[assignment] # a member of the contract
    type = serializers.ChoiceField(choices=choose.CURSOR_TYPES)
    field = serializers.CharField()
    field_type = serializers.ChoiceField(choices=choose.CURSOR_TYPES)
    nullable = serializers.BooleanField()


class AvailableColumnSerializer(serializers.Serializer[Any]):
    """A column of the table in the source."""

    field = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment] # a member of the contract
    type = serializers.CharField()
    nullable = serializers.BooleanField()


class IncrementalFieldsSerializer(serializers.Serializer[Any]):
    """What the live source says of one table."""

    incremental_fields = CursorFieldSerializer(many=True)
    incremental_available = serializers.BooleanField()
    append_available = serializers.BooleanField()
    full_refresh_available = serializers.BooleanField()
    available_columns = AvailableColumnSerializer(many=True)
    detected_primary_keys = serializers.ListField(allow_null=True, child=serializers.CharField())


class TypeReportColumnSerializer(serializers.Serializer[Any]):
    """What becomes of the values of a column of the source."""

    name = serializers.CharField()
    source_type = serializers.CharField(help_text="As the source declares it.")
    stored_as = serializers.CharField(help_text="The column's name in the warehouse table.")
    stored_type = serializers.CharField(help_text="Of the warehouse table; before the first sync the kind of type.")
    lossless = serializers.BooleanField(help_text="Whether every value that the source type has can be stored.")
    note = serializers.CharField(allow_null=True, help_text="What cannot be stored, and what becomes of it.")
    nulled = serializers.IntegerField(
        allow_null=True,
        help_text="Values that completed jobs could not store, since the table was last read as a whole; null before "
        "the first sync.",
    )


class TypeReportSerializer(serializers.Serializer[Any]):
    """The columns in the order of the source."""

    columns = TypeReportColumnSerializer(many=True)


def to_dict(table: SourceTable, changes: int = SHOWN) -> dict[str, Any]:
    """A source table as every answer shows it, with so many of its changes."""
    return {
        "id": str(table.id),
        "name": table.name,
        "table": _synced(table.table) if table.table else None,
        "should_sync": table.should_sync,
        "last_synced_at": timestamp(table.last_synced_at),
        "latest_error": table.latest_error,
        "incremental": table.sync_type == "incremental",
        "status": table.status,
        "sync_type": table.sync_type,
        "incremental_field": table.cursor_field,
        "incremental_field_type": table.cursor_field_type,
        "sync_frequency": table.frequency,
        "sync_time_of_day": table.time_of_day.isoformat() if table.time_of_day is not None else None,
        "description": table.description,
        "primary_key_columns": choose.effective_key(table),
        "schema_changes": table.changes[:changes],
        "bad_values": table.bad_values,
    }


def _synced(table: Table) -> dict[str, Any]:
    return {
        "id": str(table.id),
        "name": table.name,
        "columns": columns_to_list(table),
        "row_count": table.row_count,
    }


def columns_to_list(table: Table) -> list[dict[str, Any]]:
    """The columns of a warehouse table as every answer shows them."""
    return [
        {
            "key": column["name"],
            "name": column["name"],
            "type": column["type"],
            "schema_valid": True,
            "fields": None,
            "table": None,
            "chain": None,
        }
        for column in table.columns
    ]


# --- routes ------------------------------------------------------------------------------------------------------


class ExternalDataSchemaView(ProjectView):
    """Schemas follow the level of their source (§1.2)."""

    scope_object = SOURCE
    resource = SOURCE
    scopes = {"type_report": "read"}

    @extend_schema(
        parameters=[
            OpenApiParameter("search", OpenApiTypes.STR, description="Terms that the name must contain."),
            OpenApiParameter("source_id", OpenApiTypes.UUID, description="Only the schemas of this source."),
        ],
        responses=ExternalDataSchemaSerializer(many=True),
    )
    def list(self, request: Request, project_id: str) -> Response:
        wanted = request.query_params.get("source_id")
        source_id = parse_uuid(wanted)
        tables = queries.live_tables(self.project, source_id)
        if wanted and source_id is None:
            tables = tables.none()
        tables = access.narrow(self.actor, SOURCE, tables, id_field="source_id", creator_field="source__created_by_id")
        return self.page(queries.search_tables(tables, request.query_params.get("search", "")), to_dict)

    @extend_schema(responses=ExternalDataSchemaSerializer)
    def retrieve(self, request: Request, project_id: str, id: str) -> Response:
        return Response(to_dict(self._table(id), shape.KEPT))

    @extend_schema(request=ExternalDataSchemaSerializer(partial=True), responses=ExternalDataSchemaSerializer)
    def partial_update(self, request: Request, project_id: str, id: str) -> Response:
        changes = self.body | {k: plain(self.body[k]) for k in ("primary_key_columns",) if k in self.body}
        choose.check_changes(changes)
        lifecycle.configure_table(self._table(id), changes)
        return Response(to_dict(self._table(id)))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: str, id: str) -> Response:
        lifecycle.remove_table(self._table(id))
        return Response(status=204)

    @extend_schema(request=None, responses={200: None})
    def reload(self, request: Request, project_id: str, id: str) -> Response:
        lifecycle.reload_table(self._table(id))
        return Response()

    @extend_schema(request=None, responses={200: None})
    def resync(self, request: Request, project_id: str, id: str) -> Response:
        lifecycle.resync(self._table(id))
        return Response()

    @extend_schema(request=None, responses={200: None})
    def cancel(self, request: Request, project_id: str, id: str) -> Response:
        lifecycle.cancel(self._table(id))
        return Response()

    @extend_schema(responses={200: None})
    def delete_data(self, request: Request, project_id: str, id: str) -> Response:
        lifecycle.delete_data(self._table(id))
        return Response()

    @extend_schema(request=None, responses=IncrementalFieldsSerializer)
    def incremental_fields(self, request: Request, project_id: str, id: str) -> Response:
        return Response(services.incremental_fields(self._table(id)))

    @extend_schema(responses=TypeReportSerializer)
    def type_report(self, request: Request, project_id: str, id: str) -> Response:
        return Response({"columns": report.types(self._table(id))})

    def created_by_caller(self) -> bool:
        found = self._find(self.kwargs["id"])
        return found is not None and found.source.created_by_id == self.actor.user.pk

    def _find(self, id: str) -> SourceTable | None:
        table_id = parse_uuid(id)
        return queries.live_tables(self.project).filter(id=table_id).first() if table_id else None

    def _table(self, id: str) -> SourceTable:
        """The schema addressed, if the caller's level on its source is enough. Raises NotFoundError, DeniedError."""
        found = self._find(id)
        if found is None:
            raise NotFoundError
        level = "viewer" if self.needed_scope(self.action).endswith(":read") else "editor"
        access.require_object(
            self.actor, SOURCE, str(found.source_id), creator_id=found.source.created_by_id, level=level
        )
        return found
