"""/api/users/ (api_conventions.md §9.2)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import places
from hedgerow.accounts.models import Membership, Organization, Project, User
from hedgerow.api import projects
from hedgerow.api.checks import ContractView
from hedgerow.api.fields import timestamp
from hedgerow.api.projects import BasicProjectSerializer


class BasicUserSerializer(serializers.Serializer[Any]):
    """A person as others see them."""

    id = serializers.IntegerField()
    uuid = serializers.UUIDField()
    distinct_id = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    email = serializers.EmailField()
    is_email_verified = serializers.BooleanField()


class BasicOrganizationSerializer(serializers.Serializer[Any]):
    """An organization in lists."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()
    logo_media_id = serializers.CharField(allow_null=True)
    membership_level = serializers.IntegerField()
    members_can_use_personal_api_keys = serializers.BooleanField()


class OrganizationSerializer(BasicOrganizationSerializer):
    """An organization with its projects. `teams` and `projects` hold the same."""

    created_at = serializers.DateTimeField()
    teams = BasicProjectSerializer(many=True)
    projects = BasicProjectSerializer(many=True)


class UserSerializer(BasicUserSerializer):
    """The caller."""

    is_staff = serializers.BooleanField()
    date_joined = serializers.DateTimeField()
    has_password = serializers.BooleanField()
    team = BasicProjectSerializer(allow_null=True)
    organization = OrganizationSerializer(allow_null=True)
    organizations = BasicOrganizationSerializer(many=True)


def basic_user(user: User) -> dict[str, Any]:
    """A person as others see them."""
    return {
        "id": user.pk,
        "uuid": str(user.uuid),
        "distinct_id": str(user.uuid),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "is_email_verified": user.is_email_verified,
    }


def basic_organization(membership: Membership) -> dict[str, Any]:
    """An organization as its member sees it."""
    organization: Organization = membership.organization
    return {
        "id": str(organization.pk),
        "name": organization.name,
        "slug": organization.slug,
        "logo_media_id": None,
        "membership_level": membership.level,
        "members_can_use_personal_api_keys": organization.members_can_use_personal_api_keys,
    }


def whole_organization(membership: Membership, visible: list[Project]) -> dict[str, Any]:
    """An organization with those of the `visible` projects that are in it."""
    inside = [projects.basic(project) for project in visible if project.organization_id == membership.organization_id]
    created = {"created_at": timestamp(membership.organization.created_at)}
    return basic_organization(membership) | created | {"teams": inside, "projects": inside}


class UserView(ContractView):
    """GET /api/users/@me/, and the list for signed-in people."""

    scope_object = "user"
    scopes = {"me": "read"}
    closed_to_keys = ("list",)
    open_to_limited_keys = ("me",)

    @extend_schema(responses=BasicUserSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Only the person signed in: others are seen as members of an organization."""
        return self.page([self.actor.user], basic_user)

    @extend_schema(responses=UserSerializer)
    def me(self, request: Request) -> Response:
        """The key's owner, their current project and their organizations."""
        user = self.actor.user
        memberships = places.memberships_of(user)
        visible = list(places.visible_projects(user))
        current = next((p for p in visible if p.pk == user.current_project_id), visible[0] if visible else None)
        home = next(
            (m for m in memberships if current and m.organization_id == current.organization_id),
            memberships[0] if memberships else None,
        )
        return Response(
            basic_user(user)
            | {
                "is_staff": user.is_staff,
                "date_joined": timestamp(user.date_joined),
                "has_password": user.has_usable_password(),
                "team": projects.basic(current) if current else None,
                "organization": whole_organization(home, visible) if home else None,
                "organizations": [basic_organization(membership) for membership in memberships],
            }
        )
