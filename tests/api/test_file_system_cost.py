"""What requests cost: statements that do not grow with the tree (file_system.md §19.2)."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hedgerow.files import derived
from hedgerow.files.models import Entry, View
from tests.api.conftest import Caller
from tests.api.trees import Tree
from tests.support import notes as kind
from tests.support.people import People

pytestmark = pytest.mark.django_db
DOOR = 3
"""Key with its owner, membership, project: what every request of an owner costs before it begins."""
LOCK = int(connection.vendor == "postgresql")


def fill(people: People, folder: str, count: int) -> None:
    rows = [f"{folder}/s{number % 7}/n{number}" for number in range(count)]
    parents = {path.rpartition("/")[0] for path in rows} | {folder}
    kinds = [(path, "doc") for path in rows] + [(path, "folder") for path in sorted(parents)]
    Entry.objects.bulk_create(
        Entry(project=people.project, created_by=people.alice, ref=f"r{number}", **derived.columns(path, type))
        for number, (path, type) in enumerate(kinds)
    )
    things = [
        View(user=people.alice, project=people.project, type="doc", ref=f"r{n}", viewed_at="2025-01-01T00:00:00Z")
        for n in range(5)
    ]
    View.objects.bulk_create(things, ignore_conflicts=True)


def cost(caller: Caller, method: str, path: str, body: Any = None) -> int:
    """How many statements the tree's own work took. The outermost savepoint of a test is not one of them."""
    with CaptureQueriesContext(connection) as captured:
        answer = caller.send(method, path, body)
    assert answer.status_code < 300, answer.content
    own = [q["sql"] for q in captured if "SAVEPOINT" not in q["sql"]]
    return len(own) - DOOR


@pytest.mark.parametrize("size", [20, 900])
@pytest.mark.parametrize(
    ("query", "most"),
    [
        ("depth=1&limit=101", 4),
        ("parent=big/s1&depth=3&limit=101", 4),
        ("search=name:n1 -x user:me", 4),
        ("order_by=-created_at&not_type=folder&limit=101", 4),
        ("order_by=-last_viewed_at&not_type=folder&limit=101", 4),
        ("order_by=-last_viewed_at&not_type=folder&limit=2", 4),
        ("order_by=last_viewed_at&limit=101", 5),
        ("type=doc&ref=r3", 4),
    ],
)
def test_a_page_is_four_statements(alice: Caller, tree: Tree, people: People, size: int, query: str, most: int) -> None:
    fill(people, "big", size)
    tree.make("named", meta={"created_by": people.alice.pk})
    alice.get(tree.path)  # notes the use of the key
    assert cost(alice, "GET", f"{tree.path}?{query}") <= most


def test_single_entries_cost_the_same_in_a_large_tree(alice: Caller, tree: Tree, people: People) -> None:
    fill(people, "big", 900)
    entry = tree.make("a/b/c", type="doc")
    one = f"{tree.path}{entry['id']}/"
    assert cost(alice, "GET", one) == 2 - (entry["ref"] is None)
    assert cost(alice, "POST", tree.path, {"path": "x/y/z", "type": "doc"}) <= 3 + LOCK
    assert cost(alice, "PATCH", one, {"meta": {}}) <= 2 + LOCK
    assert cost(alice, "POST", f"{one}move/", {"new_path": "p/q/r"}) <= 4 + LOCK
    assert cost(alice, "POST", f"{one}link/", {"new_path": "s/t"}) <= 5 + LOCK
    assert cost(alice, "DELETE", one) <= 10 + LOCK


@pytest.mark.usefixtures("notes")
def test_folders_cost_the_same_whatever_is_in_them(alice: Caller, tree: Tree, people: People) -> None:
    tree.folder("to")
    costs = []
    for name, size in (("small", 20), ("large", 900)):
        fill(people, name, size)
        folder = f"{tree.path}{tree.at(name)['id']}/"
        costs.append(
            [
                cost(alice, "POST", f"{folder}count/"),
                cost(alice, "POST", f"{folder}move/", {"new_path": f"to/{name}"}),
                cost(alice, "POST", f"{folder}move/", {"new_path": f"to/{name}/s1"}),
                cost(alice, "PATCH", folder, {"path": name}),
                cost(alice, "POST", f"{folder}link/", {"new_path": f"to/linked {name}"}),
                cost(alice, "DELETE", folder),
            ]
        )
    assert costs[0] == costs[1]
    assert max(costs[0]) <= 25


@pytest.mark.usefixtures("notes")
def test_unfiled_is_one_statement_per_kind_when_nothing_is_to_do(alice: Caller, tree: Tree, people: People) -> None:
    for number in range(30):
        kind.make(people.project, f"N{number}", people.alice)
    tree.page()  # notes the use of the key
    assert cost(alice, "GET", f"{tree.path}unfiled/") == 2
