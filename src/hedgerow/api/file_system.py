"""/file_system/: the project's tree (file_system.md)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import access
from hedgerow.api import bodies, pages
from hedgerow.api.checks import ProjectView
from hedgerow.api.fields import ListField, ObjectField, timestamp
from hedgerow.core.errors import BadRequestError
from hedgerow.core.ids import parse_uuid
from hedgerow.files import deleting, links, listing, moving, objects, paths, services, views
from hedgerow.files.deleting import Deleted, Item
from hedgerow.files.models import FOLDER, Entry

RESOURCE: Final = "file_system"
PREVIEW: Final = 200
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")


# --- shapes (§2) -------------------------------------------------------------------------------------------------


class TextField(serializers.CharField):
    """A text as it came: blanks around it count, but where blank is refused they are not enough."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def run_validation(self, data: Any = empty) -> Any:
        nothing = isinstance(data, str) and not data.strip() and not self.allow_blank
        return super().run_validation("" if nothing else data)


class PathField(TextField):
    """A path. Numbers are none."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class MetaField(ObjectField):
    """An object; null is an empty one."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return (True, {}) if data is None else super().validate_empty_values(data)


class FlagField(serializers.BooleanField):
    """A flag; null, in whatever way a form writes it, is false."""

    def to_internal_value(self, data: Any) -> bool:
        return bool(super().to_internal_value(data))

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return (True, False) if data is None else super().validate_empty_values(data)


class FileSystemSerializer(serializers.Serializer[Any]):
    """One entry of the tree."""

    id = serializers.UUIDField(read_only=True)
    path = PathField(help_text="Full path from the root; `\\/` is a slash inside a name, `\\\\` a backslash.")
    depth = serializers.IntegerField(read_only=True)
    type = TextField(required=False, allow_blank=True, max_length=100)
    ref = TextField(required=False, allow_null=True, allow_blank=True, max_length=100)
    href = TextField(required=False, allow_null=True, allow_blank=True)
    meta = MetaField(required=False, allow_null=True)
    shortcut = FlagField(required=False, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)
    last_viewed_at = serializers.DateTimeField(read_only=True, allow_null=True)


class UserBasicSerializer(serializers.Serializer[Any]):
    """A person, as named in the meta of entries."""

    id = serializers.IntegerField()
    uuid = serializers.UUIDField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    email = serializers.CharField()


class FileSystemPageSerializer(serializers.Serializer[Any]):
    """One page of entries, and the people named in their meta."""

    count = serializers.IntegerField()
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = FileSystemSerializer(many=True)
    users = UserBasicSerializer(many=True)


class NewPathSerializer(serializers.Serializer[Any]):
    """Where an entry goes: the complete new path."""

    new_path = PathField()


class CountSerializer(serializers.Serializer[Any]):
    """How many entries are below a folder, and the first of them."""

    count = serializers.IntegerField()
    entries = FileSystemSerializer(many=True)
    has_more = serializers.BooleanField()


class UnfiledSerializer(serializers.Serializer[Any]):
    """How many entries were made."""

    count = serializers.IntegerField()


class DeletedObjectSerializer(serializers.Serializer[Any]):
    """An object that went with its entry."""

    type = serializers.CharField()
    ref = serializers.CharField()
    path = serializers.CharField()
    mode = serializers.ChoiceField(choices=["soft", "hard"])
    can_undo = serializers.BooleanField()
    undo = serializers.CharField(allow_blank=True)


class DeletedSerializer(serializers.Serializer[Any]):
    """The objects that went."""

    deleted = DeletedObjectSerializer(many=True)


class ViewSerializer(serializers.Serializer[Any]):
    """That the caller viewed a thing."""

    type = TextField(max_length=150)
    ref = TextField(max_length=200)
    viewed_at = serializers.DateTimeField(required=False)


class RestoredSerializer(serializers.Serializer[Any]):
    """An object to be brought back, or that was."""

    type = TextField()
    ref = TextField()


class UndoItemSerializer(RestoredSerializer):
    """An object to be brought back."""

    path = TextField(required=False, allow_null=True, allow_blank=True)


class UndoSerializer(serializers.Serializer[Any]):
    """The objects to be brought back, all or none."""

    items = ListField(child=UndoItemSerializer(), max_length=500)


class UndoneSerializer(serializers.Serializer[Any]):
    """The objects that were brought back, in the order asked for."""

    undone = RestoredSerializer(many=True)


def to_dict(entry: Entry) -> dict[str, Any]:
    """An entry as every answer shows it."""
    return {
        "id": str(entry.uuid),
        "path": entry.path,
        "depth": entry.depth,
        "type": entry.type,
        "ref": entry.ref,
        "href": entry.href,
        "meta": entry.meta,
        "shortcut": entry.shortcut,
        "created_at": timestamp(entry.created_at),
        "last_viewed_at": timestamp(entry.last_viewed_at),
    }


def _deleted_dict(each: Deleted) -> dict[str, Any]:
    return {
        "type": each.kind.type,
        "ref": each.ref,
        "path": each.path,
        "mode": "soft" if each.can_undo else "hard",
        "can_undo": each.can_undo,
        "undo": each.kind.undo,
    }


# --- routes ------------------------------------------------------------------------------------------------------

_FILTERS: Final = [
    OpenApiParameter("parent", OpenApiTypes.STR, description="Everything below this folder, at any depth."),
    OpenApiParameter("depth", OpenApiTypes.STR, description="Exactly this depth."),
    OpenApiParameter("path", OpenApiTypes.STR, description="Exactly this path."),
    OpenApiParameter("type", OpenApiTypes.STR),
    OpenApiParameter("not_type", OpenApiTypes.STR),
    OpenApiParameter("type__startswith", OpenApiTypes.STR),
    OpenApiParameter("ref", OpenApiTypes.STR),
    OpenApiParameter("created_at__gt", OpenApiTypes.DATETIME),
    OpenApiParameter("created_at__lt", OpenApiTypes.DATETIME),
    OpenApiParameter("search", OpenApiTypes.STR, description='Such as `name:report -type:folder "Q3 plans" user:me`.'),
    OpenApiParameter(
        "order_by", OpenApiTypes.STR, description="path, created_at or last_viewed_at; backwards with a `-`."
    ),
    OpenApiParameter("limit", OpenApiTypes.INT, description="Results per page: 100 unless told, at most 1,000."),
    OpenApiParameter("offset", OpenApiTypes.INT, description="Where the page begins."),
]


class TreeView(ProjectView):
    """What the routes of the tree and of shortcuts have in common."""

    resource = RESOURCE
    pages = False

    def checked(self, kind: type[serializers.Serializer[Any]], *, partial: bool = False) -> Mapping[str, Any]:
        """The body as this serializer understands it. Raises the framework's ValidationError."""
        serializer = kind(data=self.body, partial=partial)
        serializer.is_valid(raise_exception=True)
        found: Mapping[str, Any] = serializer.validated_data
        return found

    def _object(self, body: Any, failure: Exception | None) -> dict[str, Any]:
        """A text that no database can hold is told with the member it is in."""
        if isinstance(failure, bodies.UnstorableError) and failure.field:
            raise BadRequestError("Null characters are not allowed.", field=failure.field) from failure
        return super()._object(body, failure)


class FileSystemView(TreeView):
    """The tree belongs to the project; everybody sees it but for what is hidden from them."""

    scope_object = RESOURCE
    scopes = {"count": "read", "count_by_path": "read", "unfiled": "read", "log_view": "read"}
    levels = {"log_a_view": "viewer"}  # not a change of the tree; who looks at things is mostly who may only look

    @extend_schema(parameters=_FILTERS, responses=FileSystemPageSerializer)
    def list(self, request: Request, project_id: str) -> Response:
        found = listing.listing(self.actor, self._wanted())
        limit, offset = pages.bounds(request)
        found.load(offset, offset + limit)
        page = pages.page(request, found, to_dict)
        page["users"] = [_user_dict(user) for user in listing.makers(self.actor, found.page)]
        return Response(page)

    @extend_schema(request=FileSystemSerializer, responses={200: FileSystemSerializer, 201: FileSystemSerializer})
    def create(self, request: Request, project_id: str) -> Response:
        entry, made = services.create(self.actor, self.checked(FileSystemSerializer))
        return Response(to_dict(entry), status=201 if made else 200)

    @extend_schema(responses=FileSystemSerializer)
    def retrieve(self, request: Request, project_id: str, id: str) -> Response:
        return Response(to_dict(services.get(self.actor, parse_uuid(id))))

    @extend_schema(request=FileSystemSerializer(partial=True), responses=FileSystemSerializer)
    def partial_update(self, request: Request, project_id: str, id: str) -> Response:
        changes = self.checked(FileSystemSerializer, partial=True)
        return Response(to_dict(services.change(self.actor, parse_uuid(id), changes)))

    @extend_schema(request=FileSystemSerializer, responses=FileSystemSerializer)
    def update(self, request: Request, project_id: str, id: str) -> Response:
        """PUT needs a path; members left out keep their values (§7)."""
        changes = self.checked(FileSystemSerializer)
        return Response(to_dict(services.change(self.actor, parse_uuid(id), changes)))

    @extend_schema(responses={200: DeletedSerializer, 204: None})
    def destroy(self, request: Request, project_id: str, id: str) -> Response:
        gone = deleting.delete(self.actor, parse_uuid(id))
        if not gone:
            return Response(status=204)
        return Response({"deleted": [_deleted_dict(each) for each in gone]})

    @extend_schema(request=None, responses=CountSerializer)
    def count(self, request: Request, project_id: str, id: str) -> Response:
        """How many entries are below this folder."""
        folder = services.get(self.actor, parse_uuid(id))
        if folder.type != FOLDER:
            raise BadRequestError("Count can only be called on folders.")
        return self._counted(folder.path)

    @extend_schema(
        request=None,
        parameters=[OpenApiParameter("path", OpenApiTypes.STR, required=True)],
        responses=CountSerializer,
    )
    def count_by_path(self, request: Request, project_id: str) -> Response:
        """How many entries are below this path."""
        path = request.query_params.get("path", "").strip()
        if not path:
            raise BadRequestError("This field is required.", field="path", code="required")
        return self._counted(paths.checked(path))

    @extend_schema(request=NewPathSerializer, responses=FileSystemSerializer)
    def move(self, request: Request, project_id: str, id: str) -> Response:
        """Moves an entry, a folder with all that is below it."""
        new = self.checked(NewPathSerializer)["new_path"]
        return Response(to_dict(moving.move(self.actor, parse_uuid(id), new)))

    @extend_schema(request=NewPathSerializer, responses=FileSystemSerializer)
    def link(self, request: Request, project_id: str, id: str) -> Response:
        """Makes a second entry for the same thing; of a folder, for everything below it too."""
        new = self.checked(NewPathSerializer)["new_path"]
        return Response(to_dict(links.link(self.actor, parse_uuid(id), new)))

    @extend_schema(
        parameters=[OpenApiParameter("type", OpenApiTypes.STR, description="Only objects of this kind.")],
        responses=UnfiledSerializer,
    )
    def unfiled(self, request: Request, project_id: str) -> Response:
        """Files the objects that have no entry; a caller who may only view changes nothing (§13.3)."""
        if not access.at_least(access.level_for(self.actor, RESOURCE), "editor"):
            return Response({"count": 0})
        return Response({"count": objects.file_unfiled(self.actor, request.query_params.get("type", "").strip())})

    @extend_schema(
        parameters=[
            OpenApiParameter("type", OpenApiTypes.STR, description="Only things of this type."),
            OpenApiParameter("limit", {"type": "integer", "minimum": 1}, description="At most 1,000."),
        ],
        responses=ViewSerializer(many=True),
    )
    def log_view(self, request: Request, project_id: str) -> Response:
        """What the caller viewed, latest first."""
        limit = request.query_params.get("limit", "").strip()
        if limit and not (re.fullmatch(r"[0-9]+", limit, re.ASCII) and limit.strip("0")):
            raise BadRequestError("A whole number of at least 1 is required.", field="limit")
        most = min(int(limit[:18]), views.MOST) if limit else views.MOST
        found = views.latest(self.actor, request.query_params.get("type", ""), most)
        return Response([{"type": v.type, "ref": v.ref, "viewed_at": timestamp(v.viewed_at)} for v in found])

    @extend_schema(request=ViewSerializer, responses={204: None})
    def log_a_view(self, request: Request, project_id: str) -> Response:
        """Notes that the caller viewed a thing, now or at the time given."""
        views.log(self.actor, **self.checked(ViewSerializer))
        return Response(status=204)

    @extend_schema(request=UndoSerializer, responses={200: UndoneSerializer})
    def undo_delete(self, request: Request, project_id: str) -> Response:
        """Brings deleted objects back, all or none."""
        asked = self.checked(UndoSerializer)["items"]
        items = [Item(each["type"], each["ref"], _undo_path(place, each)) for place, each in enumerate(asked)]
        deleting.undo(self.actor, items)
        return Response({"undone": [{"type": item.type, "ref": item.ref} for item in items]})

    def _counted(self, path: str) -> Response:
        count, first = listing.counted(self.actor, path, PREVIEW)
        return Response({"count": count, "entries": [to_dict(each) for each in first], "has_more": count > PREVIEW})

    def _wanted(self) -> listing.Wanted:
        asked = self.request.query_params
        path, depth = asked.get("path", ""), asked.get("depth", "").strip()
        return listing.Wanted(
            parent=paths.spelled(asked.get("parent", "")),
            depth=int(depth) if _INTEGER.fullmatch(depth) else None,
            by_depth=bool(depth),
            path=paths.spelled(path) if path.strip() else None,
            type=asked.get("type", ""),
            not_type=asked.get("not_type", ""),
            type_start=asked.get("type__startswith", ""),
            ref=asked.get("ref", ""),
            after=self._moment("created_at__gt"),
            before=self._moment("created_at__lt"),
            search=asked.get("search", ""),
            order_by=asked.get("order_by", ""),
        )

    def _moment(self, name: str) -> datetime | None:
        """A time in the query; without zone it is UTC. Raises BadRequestError."""
        text = self.request.query_params.get(name, "").strip()
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise BadRequestError("Enter a time such as 2025-11-03T09:41:22Z.", field=name) from None


def _undo_path(place: int, item: Mapping[str, Any]) -> str | None:
    path = item.get("path")
    return paths.checked(path, f"items__{place}__path") if path and path.strip() else None


def _user_dict(user: Any) -> dict[str, Any]:
    return {
        "id": user.pk,
        "uuid": str(user.uuid),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
    }
