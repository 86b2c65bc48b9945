"""Times as the contract writes them, and fields that also understand form bodies (api_conventions.md §6)."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hedgerow.api import bodies


def timestamp(value: datetime | None) -> str | None:
    """ISO 8601 in UTC, ending in `Z`, up to microseconds; None stays None."""
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class ObjectField(serializers.DictField):
    """An object; in a form body, its JSON text."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(bodies.plain(data))


class ListField(serializers.ListField):
    """A list; in a form body, its JSON text. Errors name the item by its index."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(bodies.plain(data))


@extend_schema_field({"description": "Any JSON value."})
class AnyField(serializers.Field[Any, Any, Any, Any]):
    """Any JSON value; in a form body, a text that looks like an object or list is parsed."""

    def to_internal_value(self, data: Any) -> Any:
        return bodies.plain(data)

    def to_representation(self, value: Any) -> Any:
        return value


class ErrorSerializer(serializers.Serializer[Any]):
    """The envelope of every failure (§5.1)."""

    type = serializers.ChoiceField(
        choices=["validation_error", "invalid_request", "authentication_error", "throttled_error", "server_error"]
    )
    code = serializers.CharField()
    detail = serializers.CharField()
    attr = serializers.CharField(allow_null=True)
    extra = serializers.DictField(required=False)
    message = serializers.CharField(required=False)
