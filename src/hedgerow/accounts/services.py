"""Making people, organizations, projects and memberships; one transaction each."""

import re
from collections.abc import Sequence
from typing import Any, Final

from django.db import transaction
from django.utils.text import slugify

from hedgerow.accounts import keys
from hedgerow.accounts.access import RESOURCES
from hedgerow.accounts.models import AccessRule, Level, Membership, Organization, PersonalAPIKey, Project, User
from hedgerow.core.errors import BadRequestError
from hedgerow.core.ids import random_base62

_MEMBERSHIP_LEVELS: Final = {"viewer": Level.MEMBER, "member": Level.MEMBER, "admin": Level.ADMIN, "owner": Level.OWNER}
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")


def create_user(email: str, password: str | None, *, first_name: str = "", last_name: str = "") -> User:
    """A new user; without password a service account that acts through keys only. Raises BadRequestError."""
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email) or len(email) > 254:
        raise BadRequestError("Enter a valid email address.", field="email")
    if User.objects.filter(email=email).exists():
        raise BadRequestError("There is already an account with this email address.", field="email", code="unique")
    user = User(email=email, first_name=first_name, last_name=last_name)
    user.set_password(password)
    user.save()
    return user


@transaction.atomic
def create_project(name: str, owner: User, organization: Organization | None = None) -> Project:
    """A new project, which becomes the owner's current one. Raises BadRequestError for the name.

    Without `organization` one of the same name is made. An owner who is not in the organization yet owns it then.
    """
    _check_length("name", name, 200)
    if organization is None:
        slug = f"{slugify(name)[:50] or 'organization'}-{random_base62(6).lower()}"
        organization = Organization.objects.create(name=name[:64], slug=slug)
    Membership.objects.get_or_create(organization=organization, user=owner, defaults={"level": Level.OWNER})
    project = Project.objects.create(organization=organization, name=name, api_token=f"phc_{random_base62(43)}")
    owner.current_project = project
    owner.save(update_fields=["current_project"])
    return project


def change_project(project: Project, changes: dict[str, Any]) -> None:
    """Stores checked values for name, time zone or currency."""
    for name, value in changes.items():
        setattr(project, name, value)
    if changes:
        project.save(update_fields=[*changes, "updated_at"])


@transaction.atomic
def add_member(project: Project, user: User, level: str) -> Membership:
    """Makes `user` a viewer, member, admin or owner of the project's organization.

    A viewer is a plain member with the rule "viewer" on every kind of object of this project.
    """
    membership, _ = Membership.objects.update_or_create(
        organization=project.organization, user=user, defaults={"level": _MEMBERSHIP_LEVELS[level]}
    )
    AccessRule.objects.filter(project=project, membership=membership, object_id="", resource__in=RESOURCES).delete()
    if level == "viewer":
        AccessRule.objects.bulk_create(
            AccessRule(project=project, resource=resource, membership=membership, level="viewer")
            for resource in RESOURCES
        )
    if user.current_project_id is None:
        user.current_project = project
        user.save(update_fields=["current_project"])
    return membership


def create_key(
    user: User, label: str, scopes: Sequence[str], projects: Sequence[Project] = ()
) -> tuple[PersonalAPIKey, str]:
    """A new key of `user`, limited to `projects` if any are named, and its value. Raises BadRequestError."""
    _check_length("label", label, keys.LABEL_LENGTH)
    if not scopes:
        raise BadRequestError("This field is required.", field="scopes", code="required")
    return keys.create(user=user, label=label, scopes=scopes, teams=[project.pk for project in projects])


def _check_length(field: str, text: str, most: int) -> None:
    if not text.strip():
        raise BadRequestError("This field may not be blank.", field=field, code="blank")
    if len(text) > most:
        raise BadRequestError(f"Ensure this field has no more than {most} characters.", field=field, code="max_length")
