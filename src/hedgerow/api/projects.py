"""/api/projects/ and /api/environments/ (api_conventions.md §9.4)."""

from typing import Any
from zoneinfo import available_timezones

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import access, places, services
from hedgerow.accounts.currencies import CURRENCIES
from hedgerow.accounts.models import Level, Project
from hedgerow.api.checks import ContractView, ProjectView
from hedgerow.api.fields import timestamp
from hedgerow.core.errors import BadRequestError


class BasicProjectSerializer(serializers.Serializer[Any]):
    """A project in lists."""

    id = serializers.IntegerField()
    uuid = serializers.UUIDField()
    organization = serializers.UUIDField()
    project_id = serializers.IntegerField()
    api_token = serializers.CharField()
    name = serializers.CharField()
    completed_snippet_onboarding = serializers.BooleanField()
    has_completed_onboarding_for = serializers.DictField()
    ingested_event = serializers.BooleanField()
    is_demo = serializers.BooleanField()
    timezone = serializers.CharField()
    access_control = serializers.BooleanField()


class ProjectSerializer(BasicProjectSerializer):
    """A whole project."""

    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    user_access_level = serializers.ChoiceField(access.PROJECT_LEVELS)
    effective_membership_level = serializers.IntegerField()
    base_currency = serializers.CharField()
    revenue_analytics_config = serializers.DictField()


class ProjectChangesSerializer(serializers.Serializer[Any]):
    """What can be changed about a project."""

    name = serializers.CharField(max_length=200, required=False)
    timezone = serializers.CharField(required=False)
    base_currency = serializers.CharField(required=False)

    def validate_timezone(self, value: str) -> str:
        return _one_of(available_timezones(), value, "timezone")

    def validate_base_currency(self, value: str) -> str:
        return _one_of(CURRENCIES, value.upper(), "base_currency")


def basic(project: Project) -> dict[str, Any]:
    """A project as lists show it."""
    return {
        "id": project.pk,
        "uuid": str(project.uuid),
        "organization": str(project.organization_id),
        "project_id": project.pk,
        "api_token": project.api_token,
        "name": project.name,
        "completed_snippet_onboarding": True,
        "has_completed_onboarding_for": {},
        "ingested_event": False,
        "is_demo": False,
        "timezone": project.timezone,
        "access_control": False,
    }


class ProjectListView(ContractView):
    """GET /api/projects/ and /api/environments/."""

    scope_object = "project"
    open_to_limited_keys = ("list",)

    @extend_schema(responses=BasicProjectSerializer(many=True))
    def list(self, request: Request) -> Response:
        """The projects that the caller can see and the key allows."""
        return self.page(places.projects_of(self.actor), basic)


class OneProjectView(ProjectView):
    """GET and PATCH of one project."""

    scope_object = "project"

    def check_level(self) -> None:
        if self.action == "partial_update":
            access.require_admin(self.actor)

    @extend_schema(responses=ProjectSerializer)
    def retrieve(self, request: Request, project_id: str) -> Response:
        """The project, with the caller's own level."""
        return Response(self._whole())

    @extend_schema(request=ProjectChangesSerializer, responses=ProjectSerializer)
    def partial_update(self, request: Request, project_id: str) -> Response:
        """Changes what is named; for admins."""
        serializer = ProjectChangesSerializer(data=self.body)
        serializer.is_valid(raise_exception=True)
        services.change_project(self.project, serializer.validated_data)
        return Response(self._whole())

    def _whole(self) -> dict[str, Any]:
        project, admin = self.project, self.actor.is_admin
        level = self.actor.membership.level if self.actor.membership else Level.MEMBER
        config = {"base_currency": project.base_currency, "events": [], "goals": [], "filter_test_accounts": False}
        return basic(project) | {
            "created_at": timestamp(project.created_at),
            "updated_at": timestamp(project.updated_at),
            "user_access_level": "admin" if admin else self.actor.project_level,
            "effective_membership_level": max(level, Level.ADMIN if admin else Level.MEMBER),
            "base_currency": project.base_currency,
            "revenue_analytics_config": config,
        }


def _one_of(known: set[str] | frozenset[str], value: str, field: str) -> str:
    if value not in known:
        raise BadRequestError(f'"{value}" is not a valid choice.', field=field, code="invalid_choice")
    return value
