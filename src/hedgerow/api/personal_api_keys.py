"""/api/personal_api_keys/ (api_conventions.md §9.1)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import keys, sessions
from hedgerow.accounts.models import PersonalAPIKey
from hedgerow.api.checks import NO_SCOPE, ContractView
from hedgerow.api.fields import ListField, timestamp
from hedgerow.core.errors import NotFoundError


class KeySerializer(serializers.Serializer[Any]):
    """One key. `value` is shown once, by the request that makes or rolls it."""

    id = serializers.CharField(read_only=True)
    label = serializers.CharField(max_length=keys.LABEL_LENGTH)  # type: ignore[assignment]  # a field's name, not its label
    value = serializers.CharField(read_only=True, allow_null=True)
    mask_value = serializers.CharField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)
    last_used_at = serializers.DateTimeField(read_only=True, allow_null=True)
    last_rolled_at = serializers.DateTimeField(read_only=True, allow_null=True)
    user_id = serializers.IntegerField(read_only=True)
    scopes = ListField(child=serializers.CharField())
    scoped_teams = ListField(child=serializers.IntegerField(), required=False)
    scoped_organizations = ListField(child=serializers.CharField(), required=False)

    def validate_scopes(self, value: list[str]) -> list[str]:
        if not value:
            raise serializers.ValidationError("This field is required.", code="required")
        return value


def key_dict(key: PersonalAPIKey, value: str | None = None) -> dict[str, Any]:
    """A key as the contract shows it."""
    return {
        "id": key.pk,
        "label": key.label,
        "value": value,
        "mask_value": key.mask_value,
        "created_at": timestamp(key.created_at),
        "last_used_at": timestamp(key.last_used_at),
        "last_rolled_at": timestamp(key.last_rolled_at),
        "user_id": key.user_id,
        "scopes": key.scopes,
        "scoped_teams": key.scoped_teams,
        "scoped_organizations": key.scoped_organizations,
    }


class PersonalAPIKeyView(ContractView):
    """The caller's own keys. Managing them needs a person signed in; a key sees only itself."""

    scope_object = "personal_api_key"
    scopes = {"current": NO_SCOPE, "retrieve": NO_SCOPE}
    closed_to_keys = ("list", "create", "partial_update", "roll", "destroy")
    open_to_limited_keys = ("current", "retrieve")
    pages = False

    @extend_schema(responses=KeySerializer(many=True))
    def list(self, request: Request) -> Response:
        """All keys of the person signed in, newest first."""
        mine = PersonalAPIKey.objects.filter(user=self.actor.user).order_by("-created_at", "-id")
        return Response([key_dict(key) for key in mine])

    @extend_schema(responses=KeySerializer)
    def current(self, request: Request) -> Response:
        """The key that asks."""
        if self.actor.key is None:
            raise NotFoundError
        return Response(key_dict(self.actor.key))

    @extend_schema(responses=KeySerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """One key of the person signed in; a key can ask for itself."""
        return Response(key_dict(self._own(id)))

    @extend_schema(request=KeySerializer, responses={201: KeySerializer})
    def create(self, request: Request) -> Response:
        """A new key; the answer is the only one that shows its value."""
        sessions.require_recent(self.request.session)
        sent = self._checked(partial=False)
        key, value = keys.create(
            user=self.actor.user,
            label=sent["label"],
            scopes=sent["scopes"],
            teams=sent.get("scoped_teams", []),
            organizations=sent.get("scoped_organizations", []),
        )
        return Response(key_dict(key, value), status=201)

    @extend_schema(request=KeySerializer, responses=KeySerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Another label, other scopes or limits."""
        key = self._own(id)
        keys.change(key, self._checked(partial=True))
        return Response(key_dict(key))

    @extend_schema(request=None, responses=KeySerializer)
    def roll(self, request: Request, id: str) -> Response:
        """A new value; the old one stops working at once."""
        sessions.require_recent(self.request.session)
        key = self._own(id)
        return Response(key_dict(key, keys.roll(key)))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Deletes the key, which stops working at once."""
        sessions.require_recent(self.request.session)
        keys.delete(self._own(id))
        return Response(status=204)

    def _own(self, pk: str) -> PersonalAPIKey:
        key = PersonalAPIKey.objects.select_related("user").filter(pk=pk, user=self.actor.user).first()
        if key is None or (self.actor.key is not None and self.actor.key.pk != key.pk):
            raise NotFoundError
        return key

    def _checked(self, *, partial: bool) -> dict[str, Any]:
        serializer = KeySerializer(data=self.body, partial=partial)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)
