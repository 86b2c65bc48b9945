"""/file_system_shortcut/: everybody's own favourites (file_system.md §15)."""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.api.errors import problem
from hedgerow.api.fields import ListField, timestamp
from hedgerow.api.file_system import PathField, TextField, TreeView
from hedgerow.core.ids import parse_uuid
from hedgerow.files import favourites
from hedgerow.files.favourites import UnknownShortcutsError
from hedgerow.files.models import Shortcut

MOST: Final = 500
_SMALLEST, _LARGEST = -(2**31), 2**31 - 1


class FileSystemShortcutSerializer(serializers.Serializer[Any]):
    """One favourite."""

    id = serializers.UUIDField(read_only=True)
    path = PathField(help_text="The name shown.")
    type = TextField(required=False, allow_blank=True, max_length=100)
    ref = TextField(
        required=False, allow_null=True, allow_blank=True, max_length=4000, help_text="Of a folder, its path."
    )
    href = TextField(required=False, allow_null=True, allow_blank=True)
    order = serializers.IntegerField(required=False, min_value=_SMALLEST, max_value=_LARGEST)
    created_at = serializers.DateTimeField(read_only=True)


class ReorderSerializer(serializers.Serializer[Any]):
    """The shortcuts that get the places 0, 1, 2, …"""

    ordered_ids = ListField(child=serializers.UUIDField(), allow_empty=False)


class BulkUpdateSerializer(serializers.Serializer[Any]):
    """What is appended and what is removed."""

    add = ListField(child=FileSystemShortcutSerializer(), required=False, max_length=MOST)
    remove_ids = ListField(child=serializers.UUIDField(), required=False, max_length=MOST)


def to_dict(shortcut: Shortcut) -> dict[str, Any]:
    """A shortcut as every answer shows it."""
    return {
        "id": str(shortcut.pk),
        "path": shortcut.path,
        "type": shortcut.type,
        "ref": shortcut.ref,
        "href": shortcut.href,
        "order": shortcut.order,
        "created_at": timestamp(shortcut.created_at),
    }


class FileSystemShortcutView(TreeView):
    """A person's list is their own business: whoever may see the tree may keep one."""

    scope_object = "file_system_shortcut"
    levels = dict.fromkeys(("create", "update", "partial_update", "destroy", "reorder", "bulk_update"), "viewer")
    pages = True

    @extend_schema(
        parameters=[OpenApiParameter("ordering", OpenApiTypes.STR, description="created_at or -created_at.")],
        responses=FileSystemShortcutSerializer(many=True),
    )
    def list(self, request: Request, project_id: str) -> Response:
        found: QuerySet[Shortcut] = favourites.mine(self.actor)
        ordering = request.query_params.get("ordering", "")
        if ordering in ("created_at", "-created_at"):
            found = found.order_by(ordering, "id")
        return self.page(found, to_dict)

    @extend_schema(
        request=FileSystemShortcutSerializer,
        responses={200: FileSystemShortcutSerializer, 201: FileSystemShortcutSerializer},
    )
    def create(self, request: Request, project_id: str) -> Response:
        shortcut, made = favourites.create(self.actor, self.checked(FileSystemShortcutSerializer))
        return Response(to_dict(shortcut), status=201 if made else 200)

    @extend_schema(responses=FileSystemShortcutSerializer)
    def retrieve(self, request: Request, project_id: str, id: str) -> Response:
        return Response(to_dict(favourites.get(self.actor, parse_uuid(id))))

    @extend_schema(request=FileSystemShortcutSerializer(partial=True), responses=FileSystemShortcutSerializer)
    def partial_update(self, request: Request, project_id: str, id: str) -> Response:
        changes = self.checked(FileSystemShortcutSerializer, partial=True)
        return Response(to_dict(favourites.change(self.actor, parse_uuid(id), changes)))

    @extend_schema(request=FileSystemShortcutSerializer, responses=FileSystemShortcutSerializer)
    def update(self, request: Request, project_id: str, id: str) -> Response:
        """PUT needs a path; members left out keep their values."""
        changes = self.checked(FileSystemShortcutSerializer)
        return Response(to_dict(favourites.change(self.actor, parse_uuid(id), changes)))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: str, id: str) -> Response:
        favourites.delete(self.actor, parse_uuid(id))
        return Response(status=204)

    @extend_schema(request=ReorderSerializer, responses={200: FileSystemShortcutSerializer(many=True)})
    def reorder(self, request: Request, project_id: str) -> Response:
        """Puts the shortcuts named at the places 0, 1, 2, …"""
        asked = self.checked(ReorderSerializer)["ordered_ids"]
        try:
            return _whole(favourites.reorder(self.actor, asked))
        except UnknownShortcutsError as error:
            return _with_unknown(error)

    @extend_schema(request=BulkUpdateSerializer, responses={200: FileSystemShortcutSerializer(many=True)})
    def bulk_update(self, request: Request, project_id: str) -> Response:
        """Appends some shortcuts and removes others."""
        asked = self.checked(BulkUpdateSerializer)
        try:
            changed = favourites.update_many(self.actor, asked.get("add", []), asked.get("remove_ids", []))
        except UnknownShortcutsError as error:
            return _with_unknown(error)
        return _whole(changed)


def _whole(shortcuts: Sequence[Shortcut]) -> Response:
    return Response([to_dict(each) for each in shortcuts])


def _with_unknown(error: UnknownShortcutsError) -> Response:
    """The envelope, and next to its members the ids that nobody knows."""
    return Response({**problem(error).body(with_message=True), "unknown_ids": error.unknown}, status=400)
