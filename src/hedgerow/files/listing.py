"""Listing a project's tree: filters, orders and pages in a fixed number of statements (§4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, overload

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Window

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import User
from hedgerow.files import paths, search, text, views, visible
from hedgerow.files.models import FOLDER, Entry
from hedgerow.files.text import by

_NOT_SHOWN: Final = (
    *("parent", "lower_path", "words", "folders", "name"),
    *("path_start", "parent_start", "lower_path_start"),
)
DEEPEST_ASKED: Final = 32_767  # what the column holds; nothing lies deeper


@dataclass(frozen=True)
class Wanted:
    """The filters of a request; None or empty switches one off. `by_depth`: a depth was given, senseless or not."""

    parent: str = ""
    depth: int | None = None
    by_depth: bool = False
    path: str | None = None
    type: str = ""
    not_type: str = ""
    type_start: str = ""
    ref: str = ""
    after: datetime | None = None
    before: datetime | None = None
    search: str = ""
    order_by: str = ""


def listing(actor: Actor, wanted: Wanted) -> "Listing":
    """What the caller sees of what is wanted, in the order wanted. Nothing is read before a page or the count is."""
    rows = _placed(visible.entries(actor).defer(*_NOT_SHOWN), wanted)
    rows = _described(rows, wanted).filter(search.condition(actor, wanted.search))
    if wanted.ref:
        return Listing(actor, rows.order_by("shortcut", *by("path"), "uuid"))
    if wanted.order_by.removeprefix("-") == "last_viewed_at":
        return ByView(actor, rows, latest_first=wanted.order_by.startswith("-"))
    kind = Found if search.reads_all(wanted.search) else Listing
    return kind(actor, rows.order_by(*_order(wanted)))


def _placed(rows: QuerySet[Entry], wanted: Wanted) -> QuerySet[Entry]:
    """Only what lies at the place wanted. The children of one folder have an index of their own."""
    if wanted.path is not None:
        rows = rows.filter(text.at("path", wanted.path))
    if wanted.depth is not None and not 0 <= wanted.depth <= DEEPEST_ASKED:
        return rows.none()
    if wanted.depth == paths.depth(wanted.parent) + 1:
        return rows.filter(text.at("parent", wanted.parent))
    if wanted.parent:
        rows = rows.filter(text.below("path", wanted.parent))
    return rows if wanted.depth is None else rows.filter(depth=wanted.depth)


def _described(rows: QuerySet[Entry], wanted: Wanted) -> QuerySet[Entry]:
    if wanted.type:
        rows = rows.filter(type=wanted.type)
    if wanted.not_type:
        rows = rows.filter(is_file=1) if wanted.not_type == FOLDER else rows.exclude(type=wanted.not_type)
    if wanted.ref:
        rows = rows.filter(ref=wanted.ref)
    if wanted.after:
        rows = rows.filter(created_at__gt=wanted.after)
    if wanted.before:
        rows = rows.filter(created_at__lt=wanted.before)
    return rows.filter(search.starts_with("type", wanted.type_start))


def _order(wanted: Wanted) -> list[Any]:
    """The first line of §4.2 that applies, made total by path and id."""
    down = wanted.order_by.startswith("-")
    if wanted.order_by.removeprefix("-") == "path":
        return [*by("path", descending=down), "uuid"]
    if wanted.order_by:
        ascending = wanted.order_by == "created_at"
        return ["created_at" if ascending else "-created_at", *by("path"), "uuid"]
    return [*(["is_file"] if wanted.by_depth else []), *by("lower_path"), "path", "uuid"]


class Listing(Sequence[Entry]):
    """A list of which one page is read, with `last_viewed_at` on every entry: three statements at most."""

    def __init__(self, actor: Actor, rows: QuerySet[Entry]) -> None:
        self._actor, self._rows = actor, rows
        self._place = slice(0, 0)
        self._total: int | None = None
        self.page: list[Entry] = []

    def load(self, start: int, stop: int) -> None:
        """Read this page. One that is not full tells how many there are, which saves counting."""
        self._place, self.page = slice(start, stop), self._read(start, stop)
        if self._total is None and (self.page or start == 0) and len(self.page) < stop - start:
            self._total = start + len(self.page)

    def __len__(self) -> int:
        if self._total is None:
            self._total = self._rows.count()
        return self._total

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> list[Entry]: ...
    def __getitem__(self, place: int | slice) -> Entry | list[Entry]:
        if isinstance(place, int):
            return self[place : place + 1][0]
        if place != self._place:
            self.load(place.start or 0, len(self) if place.stop is None else place.stop)
        return self.page

    def _read(self, start: int, stop: int) -> list[Entry]:
        found = list(self._rows[start:stop])
        views.attach(self._actor, found)
        return found


class Found(Listing):
    """What a search found, where the database has to look at all of it anyway: it counts while it looks."""

    def _read(self, start: int, stop: int) -> list[Entry]:
        rows = self._rows.annotate(total=Window(Count("*"))).values_list("pk", "total")[start:stop]
        totals = dict(rows)
        if totals:
            self._total = next(iter(totals.values()))
        read = Entry.objects.defer(*_NOT_SHOWN).in_bulk(list(totals)) if totals else {}
        found = [read[pk] for pk in totals]
        views.attach(self._actor, found)
        return found


class ByView(Listing):
    """What the caller viewed, latest first, then what they never viewed, newest first; or all of it backwards.

    The views are read first: they are few, and mostly fill the page.
    """

    def __init__(self, actor: Actor, rows: QuerySet[Entry], *, latest_first: bool) -> None:
        super().__init__(actor, rows)
        self._latest_first = latest_first
        mine = views.of(actor)
        same = mine.filter(type=OuterRef("type"), ref=OuterRef("ref"))
        viewed = rows.filter(ref__in=mine.values("ref")).annotate(at=Subquery(same.values("viewed_at")[:1]))
        self._viewed: QuerySet[Any] = viewed.filter(at__isnull=False)
        never = rows.filter(~Exists(same))
        if latest_first:
            self._viewed = self._viewed.order_by("-at", *by("path"), "uuid")
            self._never = never.order_by("-created_at", *by("path"), "uuid")
        else:
            self._viewed = self._viewed.order_by("at", *by("path"), "uuid")
            self._never = never.order_by("created_at", *by("path"), "uuid")

    def _read(self, start: int, stop: int) -> list[Entry]:
        found = self._page(start, stop)
        for entry in found:
            entry.last_viewed_at = getattr(entry, "at", None)
        return found

    def _page(self, start: int, stop: int) -> list[Entry]:
        if not self._latest_first:
            return self._across(self._never, self._viewed, len(self) - self._viewed.count(), start, stop)
        if start == 0:
            page = list(self._viewed[:stop])
            return page if len(page) == stop else page + list(self._never[: stop - len(page)])
        return self._across(self._viewed, self._never, self._viewed.count(), start, stop)

    @staticmethod
    def _across(first: QuerySet[Entry], second: QuerySet[Entry], size: int, start: int, stop: int) -> list[Entry]:
        """The page of two lists, one after the other, of which the first has this size."""
        page = list(first[start : min(stop, size)]) if start < size else []
        return page + list(second[max(0, start - size) : stop - size]) if stop > size else page


def counted(actor: Actor, path: str, most: int) -> tuple[int, list[Entry]]:
    """How many entries the caller sees below the folder, and the first of them by depth and path."""
    below = visible.entries(actor).filter(text.below("path", path))
    # Out of an index alone; of entries whose paths begin alike, the last ones may be the wrong ones.
    start = text.indexed("path")
    first = list(below.order_by("depth", start).values_list("pk", "depth", start)[:most])
    if not first:
        return 0, []
    _, depth, last = first[-1]
    chosen = below.filter(Q(pk__in=[pk for pk, *_ in first]) | Q(**{"depth": depth, start: last}))
    shown = sorted(chosen.defer(*_NOT_SHOWN), key=lambda each: (each.depth, each.path, each.uuid))[:most]
    views.attach(actor, shown)
    return below.count(), shown


def makers(actor: Actor, entries: Sequence[Entry]) -> list[User]:
    """The people whose ids stand under `created_by` in the meta of these entries, and who are in the organization."""
    ids = {
        meta["created_by"]
        for meta in (entry.meta for entry in entries)
        if isinstance(meta, dict) and type(meta.get("created_by")) is int and 0 < meta["created_by"] < 1 << 63
    }
    project = visible.project_of(actor)
    found = User.objects.filter(pk__in=ids, memberships__organization=project.organization_id)
    return list(found.order_by("pk")) if ids else []
