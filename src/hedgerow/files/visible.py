"""Which entries a caller sees: all of the project's, but those of objects whose own level is `none` (§16)."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from hedgerow.accounts import access
from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Project
from hedgerow.core.errors import NotFoundError
from hedgerow.files import kinds
from hedgerow.files.kinds import Kind
from hedgerow.files.models import Entry


def entries(actor: Actor) -> QuerySet[Entry]:
    """The entries of the caller's project that the caller sees."""
    found = Entry.objects.filter(project=actor.project)
    hidden = hidden_from(actor)
    return found if hidden is None else found.exclude(hidden)


def project_of(actor: Actor) -> Project:
    """The project the caller is in."""
    assert actor.project is not None  # noqa: S101 - the door has let them into one
    return actor.project


def entry(actor: Actor, uuid: UUID | None) -> Entry:
    """The entry with this id. Raises NotFoundError when the caller sees none."""
    found = entries(actor).filter(uuid=uuid).first() if uuid else None
    if found is None:
        raise NotFoundError
    return found


def hidden_from(actor: Actor) -> Q | None:
    """What is hidden from the caller; None, which is usual, when nothing can be."""
    conditions = [
        Q(type=kind.type, ref__in=_unseen(kind, actor).values("tree_ref"))
        for kind in kinds.every()
        if _may_hide(kind, actor)
    ]
    if not conditions:
        return None
    hidden = conditions[0]
    for condition in conditions[1:]:
        hidden |= condition
    return hidden


def _may_hide(kind: Kind, actor: Actor) -> bool:
    if actor.is_admin:
        return False
    if not access.at_least(access.level_for(actor, kind.type), "viewer"):
        return True
    return any(rule.resource == kind.type and rule.object_id and rule.level == "none" for rule in actor.rules)


def _unseen(kind: Kind, actor: Actor) -> QuerySet[Any]:
    live = kind.live(project_of(actor))
    return live.exclude(pk__in=access.narrow(actor, kind.type, live).values("pk"))
