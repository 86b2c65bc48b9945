"""Personal API keys: values, looking them up, and what their owner does with them (api_conventions.md §2.3, §9.1)."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import OperationalError, transaction

from hedgerow.accounts import scopes as scope_rules
from hedgerow.accounts.models import Membership, PersonalAPIKey, Project, User
from hedgerow.core import disk
from hedgerow.core.clock import now
from hedgerow.core.errors import BadRequestError
from hedgerow.core.ids import parse_uuid, random_base62

MOST: Final = 10
LABEL_LENGTH: Final = 40
_LIMITS: Final = ("scoped_teams", "scoped_organizations")
_USED_EVERY: Final = timedelta(hours=1)


def hashed(value: str) -> str:
    """What is stored of a value."""
    return f"sha256${hashlib.sha256(value.encode(errors='replace')).hexdigest()}"


def find(value: str) -> PersonalAPIKey | None:
    """The key with this value and its owner, in one statement; None when unknown or its owner is deactivated."""
    return (
        PersonalAPIKey.objects.select_related("user").filter(secure_value=hashed(value), user__is_active=True).first()
    )


def used(key: PersonalAPIKey) -> None:
    """Notes that the key was used, at most once an hour."""
    moment = now()
    if key.last_used_at is None or moment - key.last_used_at >= _USED_EVERY:
        try:
            PersonalAPIKey.objects.filter(pk=key.pk).update(last_used_at=moment)
        except OperationalError as error:
            if disk.explain(error) is None:
                raise
            return  # what is only read can still be answered while the disk is full
        key.last_used_at = moment


def create(
    *, user: User, label: str, scopes: Sequence[str], teams: Sequence[int] = (), organizations: Sequence[str] = ()
) -> tuple[PersonalAPIKey, str]:
    """A new key and its value, which is never to be had again. Raises BadRequestError with the texts of §2.3-3.4."""
    scope_rules.check(scopes)
    limits = _limits(user, scoped_teams=teams, scoped_organizations=organizations)
    value = _new_value()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if PersonalAPIKey.objects.filter(user=user).count() >= MOST:
            raise BadRequestError(
                f"You can only have {MOST} personal API keys. Remove an existing key before creating a new one."
            )
        key = PersonalAPIKey.objects.create(
            id=random_base62(24), user=user, label=label, scopes=list(scopes), **limits, **_stored(value)
        )
    return key, value


def change(key: PersonalAPIKey, changes: dict[str, Any]) -> None:
    """Sets `label`, `scopes`, `scoped_teams`, `scoped_organizations` where named. Raises like `create`."""
    if "scopes" in changes:
        scope_rules.check(changes["scopes"])
    stored = changes | _limits(key.user, **{name: changes[name] for name in _LIMITS if name in changes})
    for name, value in stored.items():
        setattr(key, name, value)
    key.save(update_fields=list(stored))


def roll(key: PersonalAPIKey) -> str:
    """Replaces the value; the old one stops working at once. Returns the new one."""
    value = _new_value()
    for name, stored in _stored(value).items():
        setattr(key, name, stored)
    key.last_rolled_at = now()
    key.save(update_fields=["secure_value", "mask_value", "last_rolled_at"])
    return value


def delete(key: PersonalAPIKey) -> None:
    """The key is gone and stops working at once."""
    key.delete()


def _new_value() -> str:
    return f"phx_{random_base62(47)}"


def _stored(value: str) -> dict[str, str]:
    return {"secure_value": hashed(value), "mask_value": f"{value[:4]}...{value[-4:]}"}


def _limits(
    user: User, *, scoped_teams: Sequence[int] | None = None, scoped_organizations: Sequence[str] | None = None
) -> dict[str, Any]:
    """The limits given, in stored form. Each may name only what the owner belongs to (§3.4)."""
    stored: dict[str, Any] = {}
    mine = set(Membership.objects.filter(user=user).values_list("organization_id", flat=True))
    if scoped_organizations is not None:
        ids = [parse_uuid(text) for text in scoped_organizations]
        if None in ids:
            raise BadRequestError("Invalid organization UUID", field="scoped_organizations")
        stored["scoped_organizations"] = [str(pk) for pk in _all_of(mine, ids, "organizations")]
    if scoped_teams is not None:
        storable = [pk for pk in scoped_teams if 0 < pk < 2**63]
        known = set(Project.objects.filter(organization__in=mine, pk__in=storable).values_list("pk", flat=True))
        stored["scoped_teams"] = _all_of(known, scoped_teams, "teams")
    return stored


def _all_of(known: Collection[Any], wanted: Sequence[Any], kind: str) -> list[Any]:
    if not set(wanted).issubset(known):
        raise BadRequestError(
            f"You must be a member of all {kind} that you are scoping the key to.", field=f"scoped_{kind}"
        )
    return list(dict.fromkeys(wanted))
