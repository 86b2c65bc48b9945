"""/warehouse_tables/: what SQL can name (api_conventions.md §12.2)."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import access
from hedgerow.accounts.rules import Target
from hedgerow.api.access_controls import ObjectRulesView
from hedgerow.api.checks import ProjectView
from hedgerow.api.errors import ThrottledError
from hedgerow.api.external_data_schemas import ColumnSerializer, columns_to_list
from hedgerow.api.fields import timestamp
from hedgerow.core.errors import NotFoundError, RateLimitedError
from hedgerow.core.ids import parse_uuid
from hedgerow.sources.models import SourceTable
from hedgerow.warehouse import tables, versions
from hedgerow.warehouse.models import Table
from hedgerow.warehouse.versions import TableVersion


class TableSourceSerializer(serializers.Serializer[Any]):
    """The source that a table is synced from."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    source_type = serializers.CharField()
    prefix = serializers.CharField(allow_null=True)


class TableSchemaSerializer(serializers.Serializer[Any]):
    """The schema that a table is synced by."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    should_sync = serializers.BooleanField()
    last_synced_at = serializers.DateTimeField(allow_null=True)


class WarehouseTableSerializer(serializers.Serializer[Any]):
    """A table of the warehouse."""

    id = serializers.UUIDField()
    deleted = serializers.BooleanField()
    name = serializers.CharField()
    format = serializers.CharField()
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    url_pattern = serializers.CharField(allow_null=True)
    credential = serializers.DictField(allow_null=True)
    columns = ColumnSerializer(many=True)
    external_data_source = TableSourceSerializer(allow_null=True)
    external_schema = TableSchemaSerializer(allow_null=True)
    row_count = serializers.IntegerField(allow_null=True)


class TableVersionSerializer(serializers.Serializer[Any]):
    """A version of a table, for `AT (VERSION => …)` in SQL."""

    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="It is kept until then at least. Null for the newest version."
    )
    kind = serializers.ChoiceField(
        choices=["sync", "upkeep"], help_text="`upkeep` joins files and changes no row: it reads as the version before."
    )
    run = serializers.UUIDField(allow_null=True, help_text="The job that wrote it. Null for upkeep.")
    row_count = serializers.IntegerField()
    size_bytes = serializers.IntegerField(help_text="Of all its files, those included that other versions share.")


def version_to_dict(version: TableVersion) -> dict[str, Any]:
    """A version of a table as answers show it."""
    return {
        "version": version.number,
        "created_at": timestamp(version.created_at),
        "expires_at": timestamp(version.expires_at),
        "kind": "sync" if version.run_id else "upkeep",
        "run": version.run_id,
        "row_count": version.row_count,
        "size_bytes": version.size_bytes,
    }


def to_dict(table: Table) -> dict[str, Any]:
    """A table as every answer shows it. Where its files lie is nobody's business: `url_pattern` is null."""
    synced_by = next(iter(table.source_tables.all()), None)
    return {
        "id": str(table.id),
        "deleted": table.deleted_at is not None,
        "name": table.name,
        "format": table.format,
        "created_by": table.created_by.email if table.created_by else None,
        "created_at": timestamp(table.created_at),
        "url_pattern": None,
        "credential": None,
        "columns": columns_to_list(table),
        "external_data_source": _source(synced_by) if synced_by else None,
        "external_schema": _schema(synced_by) if synced_by else None,
        "row_count": table.row_count,
    }


def _source(synced_by: SourceTable) -> dict[str, Any]:
    source = synced_by.source
    return {
        "id": str(source.id),
        "created_at": timestamp(source.created_at),
        "created_by": source.created_by.email if source.created_by else None,
        "source_type": source.source_type,
        "prefix": source.prefix,
    }


def _schema(synced_by: SourceTable) -> dict[str, Any]:
    return {
        "id": str(synced_by.id),
        "name": synced_by.name,
        "should_sync": synced_by.should_sync,
        "last_synced_at": timestamp(synced_by.last_synced_at),
    }


class WarehouseTableView(ProjectView):
    """Tables come and go with the sources they are synced from."""

    scope_object = tables.RESOURCE
    resource = tables.RESOURCE

    @extend_schema(
        parameters=[OpenApiParameter("search", OpenApiTypes.STR, description="Text that the name must contain.")],
        responses=WarehouseTableSerializer(many=True),
    )
    def list(self, request: Request, project_id: str) -> Response:
        """The tables that the caller may view, newest first."""
        found = _whole(tables.visible(self.actor))
        search = request.query_params.get("search", "").strip()
        if search:
            found = found.filter(name__icontains=search)
        return self.page(found, to_dict)

    @extend_schema(responses=WarehouseTableSerializer)
    def retrieve(self, request: Request, project_id: str, id: str) -> Response:
        """One table."""
        return Response(to_dict(self._table("viewer")))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: str, id: str) -> Response:
        """Deletes a table that no source owns."""
        tables.delete(self._table("editor"))
        return Response(status=204)

    def created_by_caller(self) -> bool:
        found = self._find()
        return found is not None and found.created_by_id == self.actor.user.pk

    def _find(self) -> Table | None:
        table_id = parse_uuid(self.kwargs["id"])
        live = Table.objects.filter(project=self.project, deleted_at=None)
        return _whole(live).filter(id=table_id).first() if table_id else None

    def _table(self, level: str) -> Table:
        """The table addressed, if the caller's level is enough. Raises NotFoundError, DeniedError."""
        found = self._find()
        if found is None:
            raise NotFoundError
        access.require_object(
            self.actor,
            tables.RESOURCE,
            str(found.id),
            creator_id=found.created_by_id,
            level=level,
            parent=_owner(found),
        )
        return found


class TableVersionView(WarehouseTableView):
    """What a table was before, for as long as that is kept."""

    @extend_schema(responses=TableVersionSerializer(many=True))
    def list(self, request: Request, project_id: str, id: str) -> Response:  # type: ignore[override]
        """The versions of one table that SQL can read, newest first."""
        try:
            found = versions.readable(self._table("viewer"))
        except RateLimitedError as error:
            raise ThrottledError(error.retry_after) from error
        return self.page(found, version_to_dict)


class TableRulesView(ObjectRulesView):
    """Rules of a table; where it has none, those of its source hold."""

    resource = tables.RESOURCE

    def rule_target(self, id: str) -> Target:
        table_id = parse_uuid(id)
        found = Table.objects.filter(project=self.project, deleted_at=None, id=table_id).first() if table_id else None
        if found is None:
            raise NotFoundError
        return Target(tables.RESOURCE, str(found.pk), found.created_by_id, _owner(found))


def _owner(table: Table) -> tuple[str, str] | None:
    return (table.owner_kind, table.owner_id) if table.owner_kind else None


def _whole(found: QuerySet[Table]) -> QuerySet[Table]:
    """With all that an answer shows, in total order."""
    return (
        found.select_related("created_by")
        .prefetch_related("source_tables__source__created_by")
        .order_by("-created_at", "-id")
    )
