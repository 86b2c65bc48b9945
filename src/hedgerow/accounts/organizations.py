"""Members and roles of an organization: who may change what (api_conventions.md §9.3)."""

from django.db import transaction
from django.db.models import Prefetch, QuerySet

from hedgerow.accounts.models import Level, Membership, Organization, Role, RoleMembership, User
from hedgerow.core.errors import BadRequestError, DeniedError, NotFoundError
from hedgerow.core.ids import parse_uuid


def require_admin(membership: Membership) -> None:
    """Raises DeniedError unless the member is an admin or owner."""
    if membership.level < Level.ADMIN:
        raise DeniedError("You need to have admin level or higher.")


def members(organization: Organization) -> QuerySet[Membership]:
    """All members, oldest first."""
    rows = Membership.objects.filter(organization=organization).select_related("user", "organization")
    return rows.order_by("joined_at", "id")


def member(organization: Organization, user_uuid: str) -> Membership:
    """The membership of the person with this uuid. Raises NotFoundError."""
    parsed = parse_uuid(user_uuid)
    found = members(organization).filter(user__uuid=parsed).first() if parsed else None
    if found is None:
        raise NotFoundError
    return found


@transaction.atomic
def set_level(mine: Membership, theirs: Membership, level: int) -> None:
    """Changes another member's level. Raises DeniedError; BadRequestError for a level that does not exist."""
    if level not in Level.values:
        raise BadRequestError(f'"{level}" is not a valid choice.', field="level", code="invalid_choice")
    if mine.pk == theirs.pk:
        raise DeniedError("You can't change your own access level.")
    if mine.level < Level.ADMIN:
        raise DeniedError("You can only edit others if you are an admin.")
    if theirs.level > mine.level:
        raise DeniedError("You can only change access level of members with level lower or equal to you.")
    if level > mine.level:
        raise DeniedError("You can only change access level of others to lower or equal to your current one.")
    theirs.level = level
    theirs.save(update_fields=["level", "updated_at"])


@transaction.atomic
def remove(mine: Membership, theirs: Membership) -> None:
    """Removes a member, or oneself. Raises DeniedError; the last owner cannot go."""
    if mine.pk != theirs.pk:
        require_admin(mine)
        if theirs.level > mine.level:
            raise DeniedError("You can only remove members with level lower or equal to you.")
    owners = Membership.objects.select_for_update().filter(organization=theirs.organization_id, level=Level.OWNER)
    if theirs.level == Level.OWNER and len(owners) == 1:
        raise DeniedError("An organization needs at least one owner.")
    User.objects.filter(pk=theirs.user_id, current_project__organization=theirs.organization_id).update(
        current_project=None
    )
    theirs.delete()


def roles(organization: Organization) -> QuerySet[Role]:
    """All roles with their members, by name; three statements for any number."""
    return (
        Role.objects.filter(organization=organization)
        .select_related("created_by")
        .prefetch_related(Prefetch("memberships", role_members()))
        .order_by("name", "id")
    )


def role(organization: Organization, pk: str) -> Role:
    """The role with this id. Raises NotFoundError."""
    parsed = parse_uuid(pk)
    found = roles(organization).filter(pk=parsed).first() if parsed else None
    if found is None:
        raise NotFoundError
    return found


def role_members() -> QuerySet[RoleMembership]:
    """Role memberships with the people in them, oldest first."""
    return RoleMembership.objects.select_related("membership__user").order_by("joined_at", "id")


def create_role(organization: Organization, name: str, by: User) -> Role:
    """A new role. Raises BadRequestError when the name is taken."""
    _check_role_name(organization, name)
    return Role.objects.create(organization=organization, name=name, created_by=by)


def rename_role(role: Role, name: str) -> None:
    """Another name for a role. Raises BadRequestError when it is taken."""
    _check_role_name(role.organization, name, role)
    role.name = name
    role.save(update_fields=["name"])


def delete_role(role: Role) -> None:
    """Deletes a role and the rules that name it."""
    role.delete()


def _check_role_name(organization: Organization, name: str, but: Role | None = None) -> None:
    """Raises BadRequestError when another role has the name, in whatever case."""
    same = Role.objects.filter(organization=organization, name__iexact=name)
    if (same.exclude(pk=but.pk) if but else same).exists():
        raise BadRequestError("There is already a role with this name.", field="name", code="unique")


def join_role(role: Role, user_uuid: str) -> RoleMembership:
    """Puts a member of the organization into the role. Raises BadRequestError."""
    parsed = parse_uuid(user_uuid)
    found = Membership.objects.filter(organization=role.organization_id, user__uuid=parsed).first() if parsed else None
    if found is None:
        raise BadRequestError("User does not exist.", field="user_uuid")
    joined, new = RoleMembership.objects.get_or_create(role=role, membership=found)
    if not new:
        raise BadRequestError("User is already part of the role.", field="user_uuid")
    return joined


def leave_role(role: Role, pk: str) -> None:
    """Takes a member out of the role. Raises NotFoundError."""
    parsed = parse_uuid(pk)
    if parsed is None or not role.memberships.filter(pk=parsed).delete()[0]:
        raise NotFoundError
