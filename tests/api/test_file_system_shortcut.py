"""Everybody's own favourites (file_system.md §15), and what they viewed (§14)."""

from typing import Any

import pytest

from tests.api.conftest import Caller, envelope
from tests.api.trees import Tree
from tests.support.people import People

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def path(base: str) -> str:
    return f"{base}/file_system_shortcut/"


def make(caller: Caller, path: str, name: str, **values: Any) -> Any:
    answer = caller.post(path, {"path": name, **values})
    assert answer.status_code == 201, answer.content
    return answer.json()


def names(caller: Caller, path: str, query: str = "") -> list[str]:
    return [each["path"] for each in caller.get(f"{path}?{query}").json()["results"]]


def test_a_shortcut_shows_every_member(alice: Caller, path: str) -> None:
    made = make(alice, path, " a//b ", type="folder", ref="/Marketing//Launch/", id=NOBODY)
    assert made.pop("created_at").endswith("Z")
    assert made.pop("id") != NOBODY
    assert made == {"path": "a/b", "type": "folder", "ref": "Marketing/Launch", "href": None, "order": 0}
    assert make(alice, path, "x") == make(alice, path, "y") | {"id": alice.get(path).json()["results"][1]["id"]} | {
        name: alice.get(path).json()["results"][1][name] for name in ("path", "order", "created_at")
    }


def test_they_are_listed_in_their_order(alice: Caller, path: str) -> None:
    for name, order in (("b", 2), ("C", 1), ("a", 1), ("Ä", 1)):
        make(alice, path, name, order=order)
    last = make(alice, path, "last")
    assert last["order"] == 3
    assert names(alice, path) == ["a", "C", "Ä", "b", "last"]
    assert names(alice, path, "ordering=created_at") == ["b", "C", "a", "Ä", "last"]
    assert names(alice, path, "ordering=-created_at&limit=2") == ["last", "Ä"]


def test_the_same_twice_is_one(alice: Caller, path: str) -> None:
    first = make(alice, path, "x", type="doc", ref="R")
    again = alice.post(path, {"path": "/x", "type": "doc", "ref": "R", "order": 9})
    assert (again.status_code, again.json()) == (200, first)
    make(alice, path, "x", type="doc", ref="R", href="/y")
    make(alice, path, "x", type="doc")


def test_only_the_owner_sees_them(alice: Caller, bob: Caller, vera: Caller, path: str, people: People) -> None:
    mine = make(alice, path, "x")
    one = f"{path}{mine['id']}/"
    for method, body in (("GET", None), ("PATCH", {}), ("PUT", {"path": "y"}), ("DELETE", None)):
        assert envelope(bob.send(method, one, body)) == (404, "not_found", "Not found.", None)
    assert make(vera, path, "who may only look keeps favourites")["order"] == 0
    assert bob.get(path).json()["count"] == 0
    assert envelope(alice.get(f"{path}not-an-id/"))[0] == 404
    assert alice.get(one).json() == mine


def test_changing_and_deleting(alice: Caller, path: str) -> None:
    made = make(alice, path, "x", type="doc", ref="R")
    one = f"{path}{made['id']}/"
    assert alice.patch(one, {}).json() == made
    changed = alice.patch(one, {"path": "B", "order": 5, "type": "folder", "ref": "/a/"}).json()
    assert changed == made | {"path": "B", "order": 5, "type": "folder", "ref": "a"}
    assert alice.put(one, {"path": "c"}).json() == changed | {"path": "c"}
    assert envelope(alice.put(one, {"order": 1}))[::3] == (400, "path")
    assert alice.delete(one).status_code == 204
    assert alice.delete(one).status_code == 404


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({}, "path"),
        ({"path": "//"}, "path"),
        ({"path": "x", "type": "t" * 101}, "type"),
        ({"path": "x", "ref": "r" * 4001}, "ref"),
        ({"path": "x", "href": "javascript:x"}, "href"),
        ({"path": "x", "order": "first"}, "order"),
        ({"path": "x", "order": 10**20}, "order"),
        ({"path": "a\x00"}, "path"),
    ],
)
def test_what_makes_no_sense_is_refused(alice: Caller, path: str, body: Any, attr: str) -> None:
    assert envelope(alice.post(path, body))[::3] == (400, attr)


def test_they_can_be_put_in_order(alice: Caller, bob: Caller, path: str) -> None:
    ids = {name: make(alice, path, name)["id"] for name in "abcd"}
    answer = alice.post(f"{path}reorder/", {"ordered_ids": [ids["d"], ids["b"]]})
    assert answer.status_code == 200
    assert [(each["path"], each["order"]) for each in answer.json()] == [("a", 0), ("d", 0), ("b", 1), ("c", 2)]
    theirs = make(bob, path, "theirs")["id"]
    refused = alice.post(f"{path}reorder/", {"ordered_ids": [ids["c"], theirs, NOBODY]})
    assert envelope(refused)[::3] == (400, "ordered_ids")
    assert refused.json()["unknown_ids"] == [theirs, NOBODY]
    bad: Any
    for bad in ("x", [], None, ["x"], [5], [ids["a"], ids["a"]], {}):
        status, _, _, attr = envelope(alice.post(f"{path}reorder/", {"ordered_ids": bad}))
        assert (status, str(attr).partition("__")[0]) == (400, "ordered_ids"), bad
    assert envelope(alice.post(f"{path}reorder/", {}))[::3] == (400, "ordered_ids")
    assert names(alice, path) == ["a", "d", "b", "c"]


def test_many_are_added_and_removed_at_once(alice: Caller, path: str) -> None:
    first, second = make(alice, path, "a")["id"], make(alice, path, "b", type="doc", ref="R")["id"]
    new = [{"path": "z"}, {"path": "b", "type": "doc", "ref": "R"}, {"path": "y", "href": "/y"}, {"path": "z"}]
    answer = alice.post(f"{path}bulk_update/", {"add": new, "remove_ids": [first]})
    assert [each["path"] for each in answer.json()] == ["b", "z", "y"]
    refused = alice.post(f"{path}bulk_update/", {"add": [{"path": "q"}], "remove_ids": [second, NOBODY]})
    assert envelope(refused)[::3] == (400, "remove_ids")
    assert refused.json()["unknown_ids"] == [NOBODY]
    for body, attr in (
        ({"add": [{"path": "ok"}, {"path": "//"}]}, "add__1__path"),
        ({"add": [{"type": "x"}]}, "add__0__path"),
        ({"add": [{"path": "x"}] * 501}, "add"),
        ({"remove_ids": [NOBODY] * 501}, "remove_ids"),
        ({"remove_ids": "x"}, "remove_ids"),
    ):
        assert envelope(alice.post(f"{path}bulk_update/", body))[::3] == (400, attr)
    assert [each["path"] for each in alice.post(f"{path}bulk_update/", {}).json()] == ["b", "z", "y"]


def test_another_project_has_lists_of_its_own(alice: Caller, path: str, people: People) -> None:
    from hedgerow.accounts import services

    other = services.create_project("Other", people.alice, people.organization)
    make(alice, path, "here")
    assert alice.get(f"/api/projects/{other.pk}/file_system_shortcut/").json()["count"] == 0


# --- views -------------------------------------------------------------------------------------------------------


def test_a_view_is_noted_once_per_thing(alice: Caller, bob: Caller, tree: Tree) -> None:
    path = f"{tree.path}log_view/"
    for body in (
        {"type": "insight", "ref": "a", "viewed_at": "2025-11-05T16:02:10Z"},
        {"type": "doc", "ref": "a", "viewed_at": "1970-01-01T00:00:00+01:00"},
        {"type": "insight", "ref": "a", "viewed_at": "2099-01-01T00:00:00.000001Z"},
    ):
        assert (alice.post(path, body).status_code, alice.post(path, body).content) == (204, b"")
    assert alice.get(path).json() == [
        {"type": "insight", "ref": "a", "viewed_at": "2099-01-01T00:00:00.000001Z"},
        {"type": "doc", "ref": "a", "viewed_at": "1969-12-31T23:00:00Z"},
    ]
    alice.post(path, {"type": "insight", "ref": "a"})
    assert alice.get(f"{path}?type=insight").json()[0]["viewed_at"] > "2026"
    assert len(alice.get(f"{path}?limit=1").json()) == 1
    assert bob.get(path).json() == []


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"ref": "x"}, "type"),
        ({"type": "x"}, "ref"),
        ({"type": " ", "ref": "x"}, "type"),
        ({"type": "x", "ref": ""}, "ref"),
        ({"type": "x" * 151, "ref": "x"}, "type"),
        ({"type": "x", "ref": "x" * 201}, "ref"),
        ({"type": "x", "ref": "x", "viewed_at": "soon"}, "viewed_at"),
        ({"type": "x", "ref": "x\x00"}, "ref"),
    ],
)
def test_a_view_that_makes_no_sense_is_refused(alice: Caller, tree: Tree, body: Any, attr: str) -> None:
    assert envelope(alice.post(f"{tree.path}log_view/", body))[::3] == (400, attr)


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "000"])
def test_a_limit_of_views_is_at_least_one(alice: Caller, tree: Tree, limit: str) -> None:
    assert envelope(alice.get(f"{tree.path}log_view/?limit={limit}"))[::3] == (400, "limit")
    assert alice.get(f"{tree.path}log_view/?limit={10**30}").status_code == 200


def test_the_longest_view_fits(vera: Caller, tree: Tree) -> None:
    body = {"type": "x" * 150, "ref": "r" * 200}
    assert vera.post(f"{tree.path}log_view/", body).status_code == 204, "who may only look does look"
