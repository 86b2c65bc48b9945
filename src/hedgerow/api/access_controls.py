"""…/:id/access_controls/, …/users_with_access/ on every kind of object, and the project's own rules (§10.3)."""

from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import access, rules
from hedgerow.accounts.access import PROJECT
from hedgerow.accounts.models import AccessRule
from hedgerow.accounts.rules import Person, Target
from hedgerow.api.checks import ProjectView
from hedgerow.api.fields import timestamp
from hedgerow.core.errors import NotFoundError
from hedgerow.core.ids import parse_uuid
from hedgerow.sources import queries


class AccessRuleSerializer(serializers.Serializer[Any]):
    """One rule."""

    access_level = serializers.CharField(allow_null=True)
    resource = serializers.CharField(read_only=True)
    resource_id = serializers.CharField(read_only=True, allow_null=True)
    organization_member = serializers.CharField(required=False, allow_null=True)
    role = serializers.CharField(required=False, allow_null=True)
    created_by = serializers.IntegerField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class ResourceRuleSerializer(AccessRuleSerializer):
    """One rule about a whole kind of object."""

    resource = serializers.CharField()


class AccessControlsSerializer(serializers.Serializer[Any]):
    """The rules about one thing, and what the caller may do with them."""

    access_controls = AccessRuleSerializer(many=True)
    available_access_levels = serializers.ListField(child=serializers.CharField())
    default_access_level = serializers.CharField()
    user_access_level = serializers.CharField()
    user_can_edit_access_levels = serializers.BooleanField()


class PersonWithAccessSerializer(serializers.Serializer[Any]):
    """One member's level, and why."""

    user_id = serializers.IntegerField()
    access_level = serializers.CharField()
    access_source = serializers.ChoiceField(
        ["creator", "organization_admin", "explicit_member", "explicit_role", "project_admin", "default"]
    )
    organization_membership_id = serializers.UUIDField()
    organization_membership_level = serializers.IntegerField()


class UsersWithAccessSerializer(serializers.Serializer[Any]):
    """Every member who has access."""

    users = PersonWithAccessSerializer(many=True)
    total_count = serializers.IntegerField()


def rule_dict(rule: AccessRule) -> dict[str, Any]:
    """A rule as the contract shows it."""
    return {
        "access_level": rule.level,
        "resource": rule.resource,
        "resource_id": rule.object_id or None,
        "organization_member": str(rule.membership_id) if rule.membership_id else None,
        "role": str(rule.role_id) if rule.role_id else None,
        "created_by": rule.created_by_id,
        "created_at": timestamp(rule.created_at),
        "updated_at": timestamp(rule.updated_at),
    }


def _person_dict(person: Person) -> dict[str, Any]:
    return {
        "user_id": person.membership.user_id,
        "access_level": person.level,
        "access_source": person.source,
        "organization_membership_id": str(person.membership.pk),
        "organization_membership_level": person.membership.level,
    }


class RulesView(ProjectView):
    """What all kinds of rules have in common: whoever may see a thing may see its rules."""

    scope_object = "access_control"
    scopes = {"access_controls": "read", "users_with_access": "read"}
    levels = {"access_controls": "viewer", "users_with_access": "viewer", "set_access_control": "viewer"}

    def show(self, target: Target, level: str) -> Response:
        """200 with the rules about `target`."""
        default = access.DEFAULT_PROJECT_LEVEL if target.resource == PROJECT else access.DEFAULT_LEVEL
        return Response(
            {
                "access_controls": [rule_dict(rule) for rule in rules.rules_about(self.project, target)],
                "available_access_levels": list(target.levels),
                "default_access_level": default,
                "user_access_level": level,
                "user_can_edit_access_levels": rules.may_edit(self.actor, target),
            }
        )

    def put_rule(self, target: Target) -> Response:
        """200 with the rule set, or 204 when it was removed."""
        rules.require_edit(self.actor, target)
        serializer = AccessRuleSerializer(data=self.body)
        serializer.is_valid(raise_exception=True)
        sent = serializer.validated_data
        rule = rules.put(self.actor, target, sent["access_level"], sent.get("organization_member"), sent.get("role"))
        return Response(status=204) if rule is None else Response(rule_dict(rule))


class ObjectRulesView(RulesView):
    """…/:id/access_controls/ and …/:id/users_with_access/ of one kind of object, named by `resource`."""

    def rule_target(self, id: str) -> Target:
        """The object addressed; raises NotFoundError when the project has no such object."""
        raise NotImplementedError

    def created_by_caller(self) -> bool:
        try:
            return self.rule_target(self.kwargs["id"]).creator_id == self.actor.user.pk
        except NotFoundError:
            return False

    @extend_schema(responses=AccessControlsSerializer)
    def access_controls(self, request: Request, project_id: str, id: str) -> Response:
        """The rules about the object."""
        target = self._visible(id)
        return self.show(target, self._level(target))

    @extend_schema(request=AccessRuleSerializer, responses={200: AccessRuleSerializer, 204: None})
    def set_access_control(self, request: Request, project_id: str, id: str) -> Response:
        """Sets or replaces one rule; level null removes it."""
        return self.put_rule(self._visible(id))

    @extend_schema(responses=UsersWithAccessSerializer)
    def users_with_access(self, request: Request, project_id: str, id: str) -> Response:
        """Who has access to the object, and why."""
        found = rules.people(self.project, self._visible(id))
        return Response({"users": [_person_dict(person) for person in found], "total_count": len(found)})

    def _visible(self, id: str) -> Target:
        target = self.rule_target(id)
        access.require_object(
            self.actor,
            target.resource,
            target.object_id,
            creator_id=target.creator_id,
            level="viewer",
            parent=target.parent,
        )
        return target

    def _level(self, target: Target) -> str:
        return access.level_for(
            self.actor, target.resource, target.object_id, creator_id=target.creator_id, parent=target.parent
        )


class ProjectRulesView(RulesView):
    """…/projects/:id/access_controls/: who may enter the project."""

    def check_level(self) -> None:
        if self.action == "set_access_control":
            rules.require_edit(self.actor, self._target())

    @extend_schema(responses=AccessControlsSerializer)
    def access_controls(self, request: Request, project_id: str) -> Response:
        """The rules about the project."""
        return self.show(self._target(), "admin" if self.actor.is_admin else self.actor.project_level)

    @extend_schema(request=AccessRuleSerializer, responses={200: AccessRuleSerializer, 204: None})
    def set_access_control(self, request: Request, project_id: str) -> Response:
        """Sets or replaces one rule; level null removes it."""
        return self.put_rule(self._target())

    def _target(self) -> Target:
        return Target(PROJECT, str(self.project.pk))


class ResourceRulesView(RulesView):
    """…/projects/:id/resource_access_controls/: levels for whole kinds of objects."""

    def check_level(self) -> None:
        if self.action == "set_access_control":
            rules.require_edit(self.actor, Target(""))

    @extend_schema(responses=AccessControlsSerializer)
    def access_controls(self, request: Request, project_id: str) -> Response:
        """The rules about all kinds of objects."""
        return self.show(Target(""), "manager" if self.actor.is_admin else access.DEFAULT_LEVEL)

    @extend_schema(request=ResourceRuleSerializer, responses={200: AccessRuleSerializer, 204: None})
    def set_access_control(self, request: Request, project_id: str) -> Response:
        """Sets or replaces one rule; level null removes it."""
        serializer = ResourceRuleSerializer(data=self.body)
        serializer.is_valid(raise_exception=True)
        resource = serializer.validated_data["resource"]
        rules.check_resource(resource)
        return self.put_rule(Target(resource))


class SourceRulesView(ObjectRulesView):
    """Rules of a source; its schemas and tables follow them."""

    resource = "external_data_source"

    def rule_target(self, id: str) -> Target:
        source_id = parse_uuid(id)
        source = queries.live_sources(self.project).filter(id=source_id).first() if source_id else None
        if source is None:
            raise NotFoundError
        return Target("external_data_source", str(source.pk), source.created_by_id)


def rule_routes(prefix: str, view: type[ObjectRulesView]) -> list[URLPattern]:
    """The routes of rules below `<prefix>/:id/`."""
    one = view.as_view({"get": "access_controls", "put": "set_access_control"})
    who = view.as_view({"get": "users_with_access"})
    return [path(f"{prefix}/<id>/access_controls/", one), path(f"{prefix}/<id>/users_with_access/", who)]
