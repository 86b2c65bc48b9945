"""When people viewed things (§14)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Project
from hedgerow.core.clock import now
from hedgerow.files.models import Entry, View

MOST: Final = 1000


def log(actor: Actor, type: str, ref: str, viewed_at: datetime | None = None) -> None:
    """The caller viewed the thing now, or at `viewed_at`; an earlier view of it is replaced."""
    View.objects.bulk_create(
        [View(user=actor.user, project=actor.project, type=type, ref=ref, viewed_at=viewed_at or now())],
        update_conflicts=True,
        unique_fields=["user", "project", "type", "ref"],
        update_fields=["viewed_at"],
    )


def of(actor: Actor) -> QuerySet[View]:
    """The caller's own views in the project."""
    return View.objects.filter(user=actor.user, project=actor.project)


def latest(actor: Actor, type: str = "", limit: int = MOST) -> list[View]:
    """The caller's own views, latest first; of one type when it is named."""
    found = of(actor).filter(type=type) if type else of(actor)
    return list(found.order_by("-viewed_at", "type", "ref")[: min(limit, MOST)])


def attach(actor: Actor, entries: Sequence[Entry]) -> None:
    """Set `last_viewed_at` of these entries, in one statement; none when no entry stands for anything."""
    refs = {entry.ref for entry in entries if entry.ref is not None}
    seen: dict[tuple[str, str], datetime] = {}
    if refs:
        rows = of(actor).filter(ref__in=refs).values_list("type", "ref", "viewed_at")
        seen = {(type, ref): at for type, ref, at in rows}
    for entry in entries:
        entry.last_viewed_at = seen.get((entry.type, entry.ref or ""))


def forget_things(project: Project, type: str, refs: Sequence[str]) -> None:
    """Nobody has viewed these things any more: they have left the tree."""
    View.objects.filter(project=project, type=type, ref__in=refs).delete()
