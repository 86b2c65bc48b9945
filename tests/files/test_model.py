"""Any sequence of operations gives the model's answer."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.accounts.access import Actor
from hedgerow.core.errors import BadRequestError
from hedgerow.files import deleting, links, listing, moving, paths, services
from hedgerow.files.models import Entry
from tests.files import trees
from tests.files.model import Model, Path
from tests.support.people import People
from tests.support.soak import times

NAMES = st.sampled_from(["a", "b", "A", "d/e"])  # few, so that things meet
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
WHICH = st.integers(0, 1000)
STEPS = st.one_of(
    st.tuples(st.just("create"), PATHS, st.sampled_from(["folder", "doc"])),
    st.tuples(st.just("move"), WHICH, PATHS),
    st.tuples(st.just("change"), WHICH, PATHS),
    st.tuples(st.just("link"), WHICH, PATHS),
    st.tuples(st.just("delete"), WHICH, st.none()),
    st.tuples(st.just("count"), PATHS, st.none()),
)


@pytest.mark.django_db
@pytest.mark.soak
@given(st.lists(STEPS, min_size=1, max_size=12))
@settings(
    max_examples=times(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_the_tree_does_what_the_model_does(people: People, steps: list[Any]) -> None:
    with transaction.atomic():
        real = Real(trees.actor_of(people.alice, people.project))
        for step in steps:
            real.do(*step)
        trees.check(people.project)
        transaction.set_rollback(True)


class Real:
    """Does every step in the tree and in the model. `ids` are the tree's ids of the model's numbers."""

    def __init__(self, actor: Actor) -> None:
        self.actor, self.model, self.ids = actor, Model(), dict[int, Any]()

    def do(self, name: str, what: Any, how: Any) -> None:
        if name == "create":
            self._create(what, how)
        elif name == "count":
            assert listing.counted(self.actor, paths.join(what), 5)[0] == self.model.count(what)
        elif self.model.lines:
            number = sorted(line.number for line in self.model.lines)[what % len(self.model.lines)]
            getattr(self, f"_{name}")(number, how)
        assert trees.drawn(_project(self.actor)) == self._drawn(), (name, what, how)

    def _create(self, path: Path, type: str) -> None:
        number = self.model.create(path, type)
        entry, _ = services.create(self.actor, {"path": paths.join(path), "type": type})
        self._known(number, entry)

    def _move(self, number: int, path: Path) -> None:
        id = self._id(number)
        expected = self.model.move(number, path)
        self._compare(expected, lambda: moving.move(self.actor, id, paths.join(path)))

    def _change(self, number: int, path: Path) -> None:
        if self.model.line(number).path != path:
            id = self._id(number)
            expected = self.model.move(number, path)
            self._compare(expected, lambda: services.change(self.actor, id, {"path": paths.join(path)}))

    def _link(self, number: int, path: Path) -> None:
        id = self._id(number)
        expected = self.model.link(number, path)
        self._compare(expected, lambda: links.link(self.actor, id, paths.join(path)))

    def _delete(self, number: int, _: None) -> None:
        id = self._id(number)
        self.model.delete(number)
        deleting.delete(self.actor, id)

    def _compare(self, expected: int | None, action: Callable[[], Entry]) -> None:
        if expected is None:
            with pytest.raises(BadRequestError):
                action()
        else:
            self._known(expected, action())

    def _known(self, number: int, entry: Entry) -> None:
        """The answer is the entry that the model answers, wherever it came from."""
        assert self.ids.setdefault(number, entry.uuid) == entry.uuid

    def _id(self, number: int) -> Any:
        """The tree's id of a line; those of parents and of linked contents are looked up by what they are."""
        if number not in self.ids:
            line = self.model.line(number)
            same = {"path": paths.join(line.path), "type": line.type, "shortcut": line.linked}
            found = Entry.objects.filter(project=_project(self.actor), **same).exclude(uuid__in=self.ids.values())
            self.ids[number] = found.order_by("uuid")[0].uuid
        return self.ids[number]

    def _drawn(self) -> list[str]:
        return sorted(
            paths.join(line.path) + ("/" if line.type == "folder" else "") + ("*" if line.linked else "")
            for line in self.model.lines
        )


def _project(actor: Actor) -> Any:
    assert actor.project is not None
    return actor.project
