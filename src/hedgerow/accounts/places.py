"""Entering a project or an organization: the key's limits, then whether it is there for the caller (§3.4, §4)."""

import re
from dataclasses import replace
from typing import Final

from django.db.models import Q, QuerySet

from hedgerow.accounts.access import PROJECT, Actor, Rule, as_rules, decide
from hedgerow.accounts.models import AccessRule, Level, Membership, Project, User
from hedgerow.core.errors import DeniedError, NotFoundError
from hedgerow.core.ids import parse_uuid

CURRENT: Final = "@current"
NO_PROJECT: Final = "Project not found."
_ID: Final = re.compile("[0-9]{1,18}")


def enter_project(actor: Actor, text: str) -> Actor:
    """The actor inside the project written `text` (a decimal id or `@current`).

    Raises DeniedError when the key is limited to other places, NotFoundError alike for absent and invisible projects.
    """
    pk = _project_id(actor, text)
    key = actor.key
    if key and key.scoped_teams and pk not in key.scoped_teams:
        raise DeniedError(f"API key does not have access to the requested project: ID {pk}.")
    membership = (
        Membership.objects.select_related("organization").filter(user=actor.user, organization__projects=pk).first()
    )
    project = Project.objects.filter(pk=pk).first() if membership else None
    if project is None or membership is None:
        raise NotFoundError(NO_PROJECT)
    project.organization = membership.organization
    inside = replace(actor, project=project, membership=membership)
    if inside.project_level == "none":
        raise NotFoundError(NO_PROJECT)
    check_organization(inside, membership)
    return inside


def enter_organization(actor: Actor, text: str) -> Actor:
    """The actor inside the organization written `text`: a UUID, a slug or `@current`. Raises like `enter_project`."""
    if actor.key and actor.key.scoped_teams:
        raise DeniedError("API keys with scoped projects are only supported on project-based endpoints.")
    pk = parse_uuid(text)
    if pk and actor.key and actor.key.scoped_organizations and str(pk) not in actor.key.scoped_organizations:
        raise _wrong_organization(str(pk))
    mine = Membership.objects.select_related("organization").filter(user=actor.user)
    if text == CURRENT:
        membership = current_membership(actor.user)
    else:
        membership = mine.filter(Q(organization=pk) if pk else Q(organization__slug=text)).first()
    if membership is None:
        raise NotFoundError("Organization not found." if text == CURRENT else "Not found.")
    check_organization(actor, membership)
    return replace(actor, membership=membership)


def check_organization(actor: Actor, membership: Membership) -> None:
    """Raises DeniedError when the key may not act in the membership's organization."""
    organization, key = membership.organization, actor.key
    if key is None:
        return
    if key.scoped_organizations and str(organization.pk) not in key.scoped_organizations:
        raise _wrong_organization(str(organization.pk))
    if not organization.members_can_use_personal_api_keys and membership.level < Level.ADMIN:
        raise DeniedError(
            f"Organization '{organization.name}' does not allow using personal API keys. "
            "Contact an admin to enable personal API keys for this organization."
        )


def memberships_of(user: User) -> list[Membership]:
    """The user's memberships with their organizations, by the organization's name."""
    found = Membership.objects.select_related("organization").filter(user=user)
    return sorted(found, key=lambda m: (m.organization.name.lower(), m.organization_id))


def allowed_memberships(actor: Actor) -> list[Membership]:
    """Those of the caller's memberships that the key may act in."""
    found = []
    for membership in memberships_of(actor.user):
        try:
            check_organization(actor, membership)
        except DeniedError:
            continue
        found.append(membership)
    return found


def visible_projects(user: User) -> QuerySet[Project]:
    """The projects the user can see, by id."""
    mine = Project.objects.filter(organization__memberships__user=user)
    return mine.exclude(pk__in=_hidden(user)).order_by("pk")


def projects_of(actor: Actor) -> QuerySet[Project]:
    """The projects the caller can see and the key allows, by id."""
    allowed = [membership.organization_id for membership in allowed_memberships(actor)]
    found = visible_projects(actor.user).filter(organization__in=allowed)
    return found.filter(pk__in=actor.key.scoped_teams) if actor.key and actor.key.scoped_teams else found


def current_project(user: User) -> Project | None:
    """The user's current project, or the first one they can see."""
    visible = visible_projects(user)
    return visible.filter(pk=user.current_project_id or 0).first() or visible.first()


def current_membership(user: User) -> Membership | None:
    """The membership in the organization of the current project, or the oldest one."""
    mine = Membership.objects.select_related("organization").filter(user=user).order_by("joined_at", "pk")
    project = current_project(user)
    return (mine.filter(organization=project.organization_id).first() if project else None) or mine.first()


def _project_id(actor: Actor, text: str) -> int:
    key = actor.key
    if text == CURRENT:
        if key and len(key.scoped_teams) == 1:
            return int(key.scoped_teams[0])
        project = current_project(actor.user)
        if project is None:
            raise NotFoundError(NO_PROJECT)
        return project.pk
    if not _ID.fullmatch(text):
        raise NotFoundError(NO_PROJECT)
    return int(text)


def _hidden(user: User) -> list[int]:
    """Ids of the projects of the user's organizations whose rules say `none` to them."""
    mine = Q(membership__user=user) | Q(role__memberships__membership__user=user)
    rows = AccessRule.objects.filter(mine | Q(membership=None, role=None), resource=PROJECT).filter(
        project__organization__memberships__in=Membership.objects.filter(user=user, level=Level.MEMBER)
    )
    rules: dict[int, list[Rule]] = {}
    for project, rule in as_rules(rows):
        rules.setdefault(project, []).append(rule)
    decided = {project: decide(own, [(PROJECT, str(project))]) for project, own in rules.items()}
    return [project for project, rule in decided.items() if rule is not None and rule.level == "none"]


def _wrong_organization(pk: str) -> DeniedError:
    return DeniedError(f"API key does not have access to the requested organization: ID {pk}.")
