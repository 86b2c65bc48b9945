"""/api/organizations/: projects, members, roles (api_conventions.md §9.3)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import organizations, places
from hedgerow.accounts.models import Membership, Role, RoleMembership
from hedgerow.api import projects, users
from hedgerow.api.checks import ContractView
from hedgerow.api.fields import timestamp


class MemberSerializer(serializers.Serializer[Any]):
    """One member. Only `level` can be changed."""

    id = serializers.UUIDField(read_only=True)
    user = users.BasicUserSerializer(read_only=True)
    level = serializers.IntegerField()
    joined_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    last_login = serializers.DateTimeField(read_only=True, allow_null=True)
    is_2fa_enabled = serializers.BooleanField(read_only=True)
    has_social_auth = serializers.BooleanField(read_only=True)


class RoleMembershipSerializer(serializers.Serializer[Any]):
    """One member of a role."""

    id = serializers.UUIDField(read_only=True)
    role_id = serializers.UUIDField(read_only=True)
    organization_member = serializers.UUIDField(read_only=True)
    user = users.BasicUserSerializer(read_only=True)
    joined_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    user_uuid = serializers.CharField(write_only=True)


class RoleSerializer(serializers.Serializer[Any]):
    """One role."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(max_length=200)
    created_at = serializers.DateTimeField(read_only=True)
    created_by = users.BasicUserSerializer(read_only=True, allow_null=True)
    members = RoleMembershipSerializer(many=True, read_only=True)
    is_default = serializers.BooleanField(read_only=True)


def member_dict(membership: Membership) -> dict[str, Any]:
    """A member as the contract shows them."""
    return {
        "id": str(membership.pk),
        "user": users.basic_user(membership.user),
        "level": membership.level,
        "joined_at": timestamp(membership.joined_at),
        "updated_at": timestamp(membership.updated_at),
        "last_login": timestamp(membership.user.last_login),
        "is_2fa_enabled": False,
        "has_social_auth": False,
    }


def role_membership_dict(joined: RoleMembership) -> dict[str, Any]:
    """A member of a role as the contract shows them."""
    return {
        "id": str(joined.pk),
        "role_id": str(joined.role_id),
        "organization_member": str(joined.membership_id),
        "user": users.basic_user(joined.membership.user),
        "joined_at": timestamp(joined.joined_at),
        "updated_at": timestamp(joined.joined_at),
    }


def role_dict(role: Role) -> dict[str, Any]:
    """A role as the contract shows it."""
    return {
        "id": str(role.pk),
        "name": role.name,
        "created_at": timestamp(role.created_at),
        "created_by": users.basic_user(role.created_by) if role.created_by else None,
        "members": [role_membership_dict(joined) for joined in role.memberships.all()],
        "is_default": False,
    }


class OrganizationListView(ContractView):
    """GET /api/organizations/."""

    scope_object = "organization"

    @extend_schema(responses=users.BasicOrganizationSerializer(many=True))
    def list(self, request: Request) -> Response:
        """The organizations that the caller belongs to and the key allows."""
        return self.page(places.allowed_memberships(self.actor), users.basic_organization)


class InOrganizationView(ContractView):
    """A view below /api/organizations/:organization_id/. `membership` is the caller's own."""

    scope_object = "organization"
    membership: Membership

    def locate(self) -> None:
        self.actor = places.enter_organization(self.actor, str(self.kwargs["organization_id"]))
        if self.actor.membership is not None:
            self.membership = self.actor.membership


class OrganizationView(InOrganizationView):
    """GET of one organization."""

    @extend_schema(responses=users.OrganizationSerializer)
    def retrieve(self, request: Request, organization_id: str) -> Response:
        """The organization with the projects that the caller can see."""
        visible = list(places.visible_projects(self.actor.user))
        return Response(users.whole_organization(self.membership, visible))


class OrganizationProjectsView(InOrganizationView):
    """…/projects/."""

    scope_object = "project"

    @extend_schema(responses=projects.BasicProjectSerializer(many=True))
    def list(self, request: Request, organization_id: str) -> Response:
        """The projects of the organization that the caller can see."""
        inside = places.projects_of(self.actor).filter(organization=self.membership.organization_id)
        return self.page(inside, projects.basic)


class MemberView(InOrganizationView):
    """…/members/: list, PATCH and DELETE by the person's uuid."""

    scope_object = "organization_member"

    @extend_schema(responses=MemberSerializer(many=True))
    def list(self, request: Request, organization_id: str) -> Response:
        """All members, oldest first."""
        return self.page(organizations.members(self.membership.organization), member_dict)

    @extend_schema(request=MemberSerializer, responses=MemberSerializer)
    def partial_update(self, request: Request, organization_id: str, user_uuid: str) -> Response:
        """Changes a member's level."""
        theirs = organizations.member(self.membership.organization, user_uuid)
        serializer = MemberSerializer(data=self.body, partial=True)
        serializer.is_valid(raise_exception=True)
        if "level" in serializer.validated_data:
            organizations.set_level(self.membership, theirs, serializer.validated_data["level"])
        return Response(member_dict(theirs))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, organization_id: str, user_uuid: str) -> Response:
        """Removes a member, or the caller's own membership."""
        organizations.remove(self.membership, organizations.member(self.membership.organization, user_uuid))
        return Response(status=204)


class RoleView(InOrganizationView):
    """…/roles/: CRUD; changes are for admins."""

    def check_level(self) -> None:
        if self.needed_scope(self.action).endswith(":write"):
            organizations.require_admin(self.membership)

    @extend_schema(responses=RoleSerializer(many=True))
    def list(self, request: Request, organization_id: str) -> Response:
        """All roles, by name."""
        return self.page(organizations.roles(self.membership.organization), role_dict)

    @extend_schema(responses=RoleSerializer)
    def retrieve(self, request: Request, organization_id: str, id: str) -> Response:
        """One role with its members."""
        return Response(role_dict(organizations.role(self.membership.organization, id)))

    @extend_schema(request=RoleSerializer, responses={201: RoleSerializer})
    def create(self, request: Request, organization_id: str) -> Response:
        """A new role."""
        serializer = RoleSerializer(data=self.body)
        serializer.is_valid(raise_exception=True)
        name = serializer.validated_data["name"]
        role = organizations.create_role(self.membership.organization, name, self.actor.user)
        return Response(role_dict(role), status=201)

    @extend_schema(request=RoleSerializer, responses=RoleSerializer)
    def partial_update(self, request: Request, organization_id: str, id: str) -> Response:
        """Another name for a role."""
        role = organizations.role(self.membership.organization, id)
        serializer = RoleSerializer(data=self.body, partial=True)
        serializer.is_valid(raise_exception=True)
        if "name" in serializer.validated_data:
            organizations.rename_role(role, serializer.validated_data["name"])
        return Response(role_dict(role))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, organization_id: str, id: str) -> Response:
        """Deletes a role and the rules that name it."""
        organizations.delete_role(organizations.role(self.membership.organization, id))
        return Response(status=204)


class RoleMembershipView(RoleView):
    """…/roles/:role_id/role_memberships/."""

    @extend_schema(responses=RoleMembershipSerializer(many=True))
    def list(self, request: Request, organization_id: str, role_id: str = "") -> Response:
        """The role's members, oldest first."""
        return self.page(organizations.role_members().filter(role=self._role(role_id)), role_membership_dict)

    @extend_schema(request=RoleMembershipSerializer, responses={201: RoleMembershipSerializer})
    def create(self, request: Request, organization_id: str, role_id: str = "") -> Response:
        """Puts a member into the role."""
        role = self._role(role_id)
        serializer = RoleMembershipSerializer(data=self.body)
        serializer.is_valid(raise_exception=True)
        joined = organizations.join_role(role, serializer.validated_data["user_uuid"])
        return Response(role_membership_dict(joined), status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, organization_id: str, id: str, role_id: str = "") -> Response:
        """Takes a member out of the role."""
        organizations.leave_role(self._role(role_id), id)
        return Response(status=204)

    def _role(self, role_id: str) -> Role:
        return organizations.role(self.membership.organization, role_id)
