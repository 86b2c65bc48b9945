"""Who is asking, and what they may do (api_conventions.md §10).

The caller's rules in the project are loaded once per request, in one statement; deciding over them is pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

from django.db.models import Model, Q, QuerySet

from hedgerow.accounts.models import AccessRule, Level, Membership, PersonalAPIKey, Project, User
from hedgerow.core.errors import DeniedError

LEVELS: Final = ("none", "viewer", "editor", "manager")
PROJECT_LEVELS: Final = ("none", "member", "admin")
DEFAULT_LEVEL: Final = "editor"
DEFAULT_PROJECT_LEVEL: Final = "admin"
PROJECT: Final = "project"
RESOURCES: Final = (
    "external_data_source",
    "warehouse_table",
    "warehouse_view",
    "insight",
    "dashboard",
    "export",
    "file_system",
)
EVERYONE: Final = 0
ROLE: Final = 1
MEMBER: Final = 2
_ORDER: Final = {level: place for levels in (LEVELS, PROJECT_LEVELS) for place, level in enumerate(levels)}
_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True)
class Rule:
    """One rule as it bears on one caller. `object_id` empty: the whole resource. `rank`: whom it names."""

    resource: str
    object_id: str
    rank: int
    level: str


def decide(rules: Sequence[Rule], steps: Sequence[tuple[str, str]]) -> Rule | None:
    """The rule that decides: of the first step (resource, object id) that has any, the member's own before role
    rules (the highest) before the rule for everyone. None when no step has a rule."""
    for step in steps:
        here = [rule for rule in rules if (rule.resource, rule.object_id) == step]
        if here:
            return max(here, key=lambda rule: (rule.rank, _ORDER[rule.level]))
    return None


def steps(resource: str, object_id: str = "", parent: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    """Where rules are looked for, most specific first: object, parent, resource, the parent's resource."""
    found = [(resource, object_id)] if object_id else []
    found += [parent] if parent else []
    found.append((resource, ""))
    return [*found, (parent[0], "")] if parent else found


def at_least(level: str, needed: str) -> bool:
    """Whether `level` includes `needed`, for levels of objects and of projects alike."""
    return _ORDER[level] >= _ORDER[needed]


def as_rules(rows: QuerySet[AccessRule]) -> list[tuple[int, Rule]]:
    """The rows as (project id, rule), in one statement; the rows must bear on one caller."""
    found = rows.values_list("project_id", "resource", "object_id", "membership_id", "role_id", "level")
    return [
        (project, Rule(resource, object_id, rank(membership, role), level))
        for project, resource, object_id, membership, role, level in found
    ]


def rank(membership: object | None, role: object | None) -> int:
    """Whom a rule names: the member, a role, or everyone."""
    return MEMBER if membership is not None else EVERYONE if role is None else ROLE


@dataclass(frozen=True)
class Actor:
    """Who is asking, with which key, in which project. `membership` is theirs in the project's organization."""

    user: User
    key: PersonalAPIKey | None = None
    project: Project | None = None
    membership: Membership | None = None

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of the project that bear on the caller. None for organization admins: nothing binds them."""
        if self.project is None or self.membership is None or self.is_organization_admin:
            return ()
        mine = Q(membership=self.membership) | Q(role__memberships__membership=self.membership)
        rows = AccessRule.objects.filter(mine | Q(membership=None, role=None), project=self.project)
        return tuple(rule for _, rule in as_rules(rows))

    @property
    def is_organization_admin(self) -> bool:
        """Admin or owner of the project's organization."""
        return self.membership is not None and self.membership.level >= Level.ADMIN

    @cached_property
    def project_level(self) -> str:
        """none, member or admin: what the project's own rules say (§10.1)."""
        rule = None if self.project is None else decide(self.rules, [(PROJECT, str(self.project.pk))])
        return rule.level if rule else DEFAULT_PROJECT_LEVEL

    @property
    def is_admin(self) -> bool:
        """Admin of the organization, or made admin of the project by a rule (not by the default)."""
        if self.is_organization_admin or self.project is None:
            return self.is_organization_admin
        rule = decide(self.rules, [(PROJECT, str(self.project.pk))])
        return rule is not None and rule.level == "admin"


def level_for(
    actor: Actor,
    resource: str,
    object_id: str = "",
    *,
    creator_id: int | None = None,
    parent: tuple[str, str] | None = None,
) -> str:
    """The caller's own level for an object, or for the whole resource: the contract's `user_access_level`."""
    if actor.is_admin or (creator_id is not None and creator_id == actor.user.pk):
        return "manager"
    rule = decide(actor.rules, steps(resource, object_id, parent))
    return rule.level if rule else DEFAULT_LEVEL


def require(actor: Actor, resource: str, level: str) -> None:
    """Raises DeniedError unless the caller has `level` for the kind of object (§4 step 5)."""
    if not at_least(level_for(actor, resource), level):
        raise _denied(level)


def require_some(actor: Actor, resource: str, level: str) -> None:
    """Like `require`, but a rule that grants the level on one object will do: for lists and for single objects."""
    granted = any(r.resource == resource and r.object_id and at_least(r.level, level) for r in actor.rules)
    if not granted:
        require(actor, resource, level)


def require_object(
    actor: Actor,
    resource: str,
    object_id: str,
    *,
    creator_id: int | None,
    level: str,
    parent: tuple[str, str] | None = None,
) -> None:
    """Raises DeniedError unless the caller has `level` for this object (§4 step 9)."""
    if not at_least(level_for(actor, resource, object_id, creator_id=creator_id, parent=parent), level):
        raise _denied(level)


def require_admin(actor: Actor) -> None:
    """Raises DeniedError unless the caller is an admin of the organization or, by a rule, of the project."""
    if not actor.is_admin:
        raise _denied("admin")


def narrow(
    actor: Actor,
    resource: str,
    queryset: QuerySet[_Row],
    *,
    id_field: str = "id",
    creator_field: str = "created_by_id",
    parent: tuple[str, str] | None = None,
) -> QuerySet[_Row]:
    """Only the rows the caller may view. `parent` is (the parent's resource, the field with the parent's id)."""
    if actor.is_admin or not actor.rules:
        return queryset
    known, seen = _objects(actor, resource)
    by_kind = at_least(level_for(actor, resource), "viewer")
    rest = _everything(by_kind)
    if parent is not None:
        parents, seen_parents = _objects(actor, parent[0])
        by_parents_kind = at_least(level_for(actor, resource, parent=(parent[0], "-")), "viewer")
        orphan = Q(**{parent[1]: ""})
        rest = (orphan & _everything(by_kind)) | (
            ~orphan
            & (
                Q(**{f"{parent[1]}__in": seen_parents})
                | (~Q(**{f"{parent[1]}__in": parents}) & _everything(by_parents_kind))
            )
        )
    own = Q(**{f"{id_field}__in": seen}) | (~Q(**{f"{id_field}__in": known}) & rest)
    return queryset.filter(Q(**{creator_field: actor.user.pk}) | own)


def _objects(actor: Actor, resource: str) -> tuple[list[str], list[str]]:
    """The object ids that have a rule of their own for the caller, and those of them the caller may view."""
    known = sorted({rule.object_id for rule in actor.rules if rule.resource == resource and rule.object_id})
    return known, [pk for pk in known if at_least(level_for(actor, resource, pk), "viewer")]


def _everything(yes: bool) -> Q:
    return ~Q(pk__in=[]) if yes else Q(pk__in=[])


def _denied(level: str) -> DeniedError:
    return DeniedError(f"You do not have {level} access to this resource.")
