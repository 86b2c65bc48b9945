"""Many at once in one project: nothing is lost, doubled or orphaned, and nobody is refused (file_system.md §18)."""

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from hedgerow.accounts.access import Actor
from hedgerow.core.errors import BadRequestError, NotFoundError
from hedgerow.files import deleting, favourites, folders, kinds, links, listing, moving, objects, services, views
from hedgerow.files.models import FOLDER, Entry, Shortcut, View
from hedgerow.warehouse.models import Table
from tests.files import trees
from tests.support import notes as kind
from tests.support.people import People
from tests.support.soak import times

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 12


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """What each action answered, or the exception it raised; all begin together, each with its own connection."""
    answers: list[Any] = [None] * len(actions)
    ready = threading.Barrier(len(actions))

    def run(place: int) -> None:
        ready.wait()
        try:
            answers[place] = actions[place]()
        except Exception as error:
            answers[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.fixture
def actor(people: People) -> Actor:
    return trees.actor_of(people.alice, people.project)


@pytest.mark.soak
@pytest.mark.usefixtures("notes")
def test_whatever_happens_at_once_the_tree_stays_a_tree(actor: Actor, people: People) -> None:
    kept = [kind.make(people.project, f"Object {number}", people.alice) for number in range(5)]
    trees.fill(actor, "a/b/1", "a/c/2", "b/a/3", "c/")

    def work(seed: int) -> list[str]:
        chance, unexpected = random.Random(seed), []
        for number in range(times(12)):
            try:
                _anything(actor, chance, f"{seed}-{number}")
            except (NotFoundError, BadRequestError):
                pass  # what it was about went, or became something else, meanwhile
            except Exception as error:
                unexpected.append(repr(error))
        return unexpected

    answers = at_once(*(lambda seed=seed: work(seed) for seed in range(THREADS)))
    assert answers == [[]] * THREADS
    trees.check(people.project)
    live = {str(note.pk) for note in Table.objects.filter(deleted_at=None)}
    originals = list(Entry.objects.filter(type=kind.TYPE, shortcut=False).values_list("ref", flat=True))
    assert len(originals) == len(set(originals)) <= len(kept)
    assert set(originals) == live, "no object without its entry, no entry without its object"


def _anything(actor: Actor, chance: random.Random, name: str) -> None:
    path = "/".join(chance.choice("abcd") for _ in range(chance.randint(1, 3)))
    some = list(listing.listing(actor, listing.Wanted())[0:50])
    entry = chance.choice(some) if some else None
    what = chance.random()
    if what < 0.4 or entry is None:
        services.create(actor, {"path": f"{path}/{name}", "type": chance.choice(["doc", FOLDER])})
    elif what < 0.7:
        moving.move(actor, entry.uuid, path if entry.type == FOLDER else f"{path}/{name}")
    elif what < 0.8:
        services.change(actor, entry.uuid, {"path": path})
    elif what < 0.9 and entry.depth > 2:
        links.link(actor, entry.uuid, f"{path}/{name}")
    elif what < 0.97 or entry.type == kind.TYPE:
        listing.counted(actor, path, 10)
    else:
        deleting.delete(actor, entry.uuid)


def test_new_folders_are_made_once(actor: Actor, people: People) -> None:
    made = at_once(
        *(lambda n=n: services.create(actor, {"path": f"new/deep/er/{n}", "type": "doc"}) for n in range(THREADS)),
        *(lambda: services.create(actor, {"path": "new/deep/er", "type": FOLDER}) for _ in range(4)),
    )
    assert not [answer for answer in made if isinstance(answer, Exception)]
    assert len({answer[0].uuid for answer in made[THREADS:]}) == 1
    assert sum(answer[1] for answer in made[THREADS:]) <= 1
    assert len(trees.drawn(people.project)) == THREADS + 3
    trees.check(people.project)


def test_opposite_moves_lose_nothing(actor: Actor, people: People) -> None:
    for _ in range(5):
        Entry.objects.all().delete()
        trees.fill(actor, "A/a", "B/b")
        first, second = (folders.folder_at(people.project, name) for name in "AB")
        assert first
        assert second
        at_once(
            lambda: moving.move(actor, first.uuid, "B/A"),  # noqa: B023 - run at once, before the next round
            lambda: moving.move(actor, second.uuid, "A/B"),  # noqa: B023
        )
        trees.check(people.project)
        assert {path.rpartition("/")[2] for path in trees.drawn(people.project)} >= {"a", "b"}


def test_of_two_deletes_one_succeeds(actor: Actor) -> None:
    entry, _ = services.create(actor, {"path": "a", "type": "doc"})
    answers = at_once(*(lambda: deleting.delete(actor, entry.uuid) for _ in range(6)))
    assert sum(isinstance(answer, NotFoundError) for answer in answers) == 5
    assert answers.count([]) == 1


@pytest.mark.usefixtures("notes")
def test_of_several_undos_one_succeeds(actor: Actor, people: People) -> None:
    note = kind.make(people.project, "N", people.alice)
    kind.delete(note)
    item = deleting.Item(kind.TYPE, str(note.pk))
    answers = at_once(*(lambda: deleting.undo(actor, [item]) for _ in range(6)))
    assert sum(isinstance(answer, BadRequestError) for answer in answers) == 5
    assert Entry.objects.filter(type=kind.TYPE).count() == 1


@pytest.mark.usefixtures("notes")
def test_simultaneous_unfiled_files_each_object_once(actor: Actor, people: People) -> None:
    for number in range(20):
        kind.make(people.project, f"N{number}", people.alice, filed=False)
    answers = at_once(*(lambda: objects.file_unfiled(actor) for _ in range(6)))
    assert sum(answers) == 20
    assert Entry.objects.filter(type=kind.TYPE).count() == 20
    trees.check(people.project)


def test_simultaneous_views_of_one_thing_are_one(actor: Actor) -> None:
    assert at_once(*(lambda: views.log(actor, "doc", "R") for _ in range(10))) == [None] * 10
    assert View.objects.count() == 1


def test_simultaneous_shortcuts_get_different_places(actor: Actor) -> None:
    at_once(*(lambda n=n: favourites.create(actor, {"path": f"{n}"}) for n in range(10)))
    at_once(*(lambda: favourites.create(actor, {"path": "same"}) for _ in range(5)))
    assert sorted(Shortcut.objects.values_list("order", flat=True)) == list(range(11))


def test_a_source_deleted_in_the_tree_and_by_its_own_route_at_once(actor: Actor, people: People) -> None:
    """Both ways take the same locks in the same order."""
    from hedgerow.sources import tree
    from hedgerow.sources.models import Source
    from hedgerow.sync import lifecycle

    assert kinds.get(tree.TYPE) is not None
    for number in range(4):
        source = Source.objects.create(
            project=people.project, source_type="Demo", prefix=f"p{number}", prefix_key=f"p{number}"
        )
        objects.place(people.project, tree.thing(source))
        entry = Entry.objects.get(ref=str(source.pk))
        answers = at_once(
            lambda: deleting.delete(actor, entry.uuid),  # noqa: B023
            lambda: lifecycle.disconnect(source),  # noqa: B023
        )
        assert not [a for a in answers if isinstance(a, Exception) and not isinstance(a, NotFoundError)], answers
        assert not Entry.objects.filter(type=tree.TYPE).exists()
        source.refresh_from_db()
        assert source.deleted_at is not None
