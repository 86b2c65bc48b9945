"""Changing access rules, and who has access to an object (api_conventions.md §10.3)."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from hedgerow.accounts.access import (
    DEFAULT_LEVEL,
    LEVELS,
    MEMBER,
    PROJECT,
    PROJECT_LEVELS,
    RESOURCES,
    ROLE,
    Actor,
    Rule,
    decide,
    level_for,
    rank,
    steps,
)
from hedgerow.accounts.models import AccessRule, Level, Membership, Project, Role, RoleMembership
from hedgerow.core.errors import BadRequestError, DeniedError
from hedgerow.core.ids import parse_uuid


@dataclass(frozen=True)
class Target:
    """What rules are about: an object, a whole resource (no `object_id`), or the project (resource `project`)."""

    resource: str
    object_id: str = ""
    creator_id: int | None = None
    parent: tuple[str, str] | None = None

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that a rule about it can give."""
        return PROJECT_LEVELS if self.resource == PROJECT else LEVELS


@dataclass(frozen=True)
class Person:
    """One member's level for an object, and why."""

    membership: Membership
    level: str
    source: str


def may_edit(actor: Actor, target: Target) -> bool:
    """Whether the caller may change the rules about `target`."""
    if target.resource == PROJECT or not target.object_id:
        return actor.is_admin
    own = level_for(actor, target.resource, target.object_id, creator_id=target.creator_id, parent=target.parent)
    return own == "manager"


def require_edit(actor: Actor, target: Target) -> None:
    """Raises DeniedError unless the caller may change the rules about `target`."""
    if not may_edit(actor, target):
        raise _denied(target)


def rules_about(project: Project, target: Target) -> QuerySet[AccessRule]:
    """The rules on the target itself, oldest first."""
    rules = AccessRule.objects.filter(project=project, object_id=target.object_id)
    if target.resource:
        rules = rules.filter(resource=target.resource)
    return rules.order_by("created_at", "id")


def put(
    actor: Actor, target: Target, level: str | None, member_id: str | None = None, role_id: str | None = None
) -> AccessRule | None:
    """Sets the one rule about `target` for a member, a role or everyone; `level` None removes it (then None).

    Raises DeniedError (who may not change rules), BadRequestError (texts of §10.3).
    """
    require_edit(actor, target)
    project = actor.project
    if project is None:
        raise DeniedError("Rules belong to a project.")
    if level is not None and level not in target.levels:
        allowed = ", ".join(target.levels)
        raise BadRequestError(f"Invalid access level. Must be one of: {allowed}", field="access_level")
    if member_id and role_id:
        raise BadRequestError("You can not scope an access control to both a member and a role.")
    whose: dict[str, Any] = {
        "membership": _known(Membership.objects.filter(organization=project.organization_id), member_id, "member"),
        "role": _known(Role.objects.filter(organization=project.organization_id), role_id, "role"),
    }
    about: dict[str, Any] = {"project": project, "resource": target.resource, "object_id": target.object_id, **whose}
    if level is None:
        AccessRule.objects.filter(**about).delete()
        return None
    rule, _ = AccessRule.objects.update_or_create(
        **about, defaults={"level": level}, create_defaults={"level": level, "created_by": actor.user}
    )
    return rule


def people(project: Project, target: Target) -> list[Person]:
    """Every member who has access to the object, by e-mail, in a constant number of statements."""
    about = AccessRule.objects.filter(project=project).filter(
        Q(resource=PROJECT) | Q(resource=target.resource) | Q(resource=target.parent[0] if target.parent else "")
    )
    rules = list(about.values_list("membership_id", "role_id", "resource", "object_id", "level"))
    roles: dict[Any, set[Any]] = {}
    mine = RoleMembership.objects.filter(membership__organization=project.organization_id)
    for membership_id, role_id in mine.values_list("membership_id", "role_id"):
        roles.setdefault(membership_id, set()).add(role_id)
    members = Membership.objects.filter(organization=project.organization_id).select_related("user")
    found = []
    for membership in members.order_by("user__email"):
        own = [
            Rule(resource, object_id, rank(member, role), level)
            for member, role, resource, object_id, level in rules
            if member == membership.pk or role in roles.get(membership.pk, ()) or (member is None and role is None)
        ]
        person = _person(project, target, membership, own)
        if person.level != "none":
            found.append(person)
    return found


def _person(project: Project, target: Target, membership: Membership, own: list[Rule]) -> Person:
    created = target.creator_id == membership.user_id
    if membership.level >= Level.ADMIN:
        return Person(membership, "manager", "creator" if created else "organization_admin")
    in_project = decide(own, [(PROJECT, str(project.pk))])
    if in_project is not None and in_project.level == "none":
        return Person(membership, "none", "default")
    if created:
        return Person(membership, "manager", "creator")
    if in_project is not None and in_project.level == "admin":
        return Person(membership, "manager", "project_admin")
    rule = decide(own, steps(target.resource, target.object_id, target.parent))
    if rule is None:
        return Person(membership, DEFAULT_LEVEL, "default")
    return Person(membership, rule.level, {MEMBER: "explicit_member", ROLE: "explicit_role"}.get(rule.rank, "default"))


def check_resource(name: str) -> None:
    """Raises BadRequestError unless there are levels for this kind of object."""
    if name not in RESOURCES:
        raise BadRequestError(f'"{name}" is not a valid choice.', field="resource", code="invalid_choice")


def _known(rows: QuerySet[Any], pk: str | None, kind: str) -> Any:
    """The member or role with this id in the organization; None for None."""
    if not pk:
        return None
    parsed = parse_uuid(pk)
    found = rows.filter(pk=parsed).first() if parsed else None
    if found is None:
        field = "organization_member" if kind == "member" else kind
        raise BadRequestError(f'Invalid pk "{pk}" - object does not exist.', field=field, code="does_not_exist")
    return found


def _denied(target: Target) -> DeniedError:
    if not target.object_id:
        return DeniedError("Must be an Organization admin to modify project-wide permissions.")
    return DeniedError(f"Must be {target.levels[-1]} to modify {target.resource} permissions.")
