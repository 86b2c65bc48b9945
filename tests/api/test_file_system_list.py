"""Listing the tree (file_system.md §4)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from hedgerow.files.models import Entry, View
from tests.api.conftest import Caller, envelope
from tests.api.trees import Tree
from tests.support.people import People

pytestmark = pytest.mark.django_db


@pytest.fixture
def some(tree: Tree) -> Tree:
    for path in ("b/x", "b/Y", "b/sub/deep/z", "a", "Ä", "zebra", "b%/x", "a_b/x", "axb/x", r"b\/x/y", "c\\\\/k"):
        tree.make(path)
    return tree


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("parent=b", ["b/sub", "b/sub/deep", "b/sub/deep/z", "b/x", "b/Y"]),
        ("parent=b/&depth=2", ["b/sub", "b/x", "b/Y"]),
        ("parent=B", []),
        ("parent=b/sub", ["b/sub/deep", "b/sub/deep/z"]),
        ("parent=b&depth=3", ["b/sub/deep"]),
        ("parent=b&depth=1", []),
        ("parent=b%25", ["b%/x"]),
        ("parent=a_b", ["a_b/x"]),
        ("parent=a", []),
        (r"parent=b\/x", [r"b\/x/y"]),
        ("parent=c\\", [r"c\\/k"]),
        ("depth=1", ["a_b", "axb", "b", "b%", r"b\/x", r"c\\", "a", "zebra", "Ä"]),
        ("depth=0", []),
        ("depth=-1", []),
        ("depth=99999999999999999999", ["a_b", "axb", "b"]),
        ("path=b", ["b"]),
        ("path= /b//x/ ", ["b/x"]),
        ("path=/", []),
        ("type=doc&parent=b", ["b/sub/deep/z", "b/x", "b/Y"]),
        ("type=nothing", []),
        ("not_type=folder&parent=b", ["b/sub/deep/z", "b/x", "b/Y"]),
        ("not_type=doc&parent=b", ["b/sub", "b/sub/deep"]),
        ("type__startswith=fold&parent=b", ["b/sub", "b/sub/deep"]),
        ("type__startswith=Fold", []),
        ("type__startswith=%25", []),
        ("parent=&type=&search=&ref=&path=&order_by=&created_at__gt=&depth=&parent=b&depth=2", ["b/sub", "b/x", "b/Y"]),
    ],
)
def test_a_filter_selects(some: Tree, query: str, paths: list[str]) -> None:
    found = some.paths(query)
    assert found[: len(paths)] == paths if "9999" in query else found == paths


def test_a_senseless_depth_filters_nothing_but_puts_folders_first(some: Tree) -> None:
    found = some.page("depth=x")
    assert found["count"] == some.page()["count"]
    kinds = [entry["type"] == "folder" for entry in found["results"]]
    assert kinds == sorted(kinds, reverse=True)


def test_the_usual_order_is_by_path_without_case(tree: Tree) -> None:
    for path in ("b", "A", "a", "Ä", "z", "ä", "Z"):
        tree.make(path)
    tree.folder("m")
    assert tree.paths() == ["A", "a", "b", "m", "Z", "z", "Ä", "ä"]
    assert tree.paths("order_by=path") == ["A", "Z", "a", "b", "m", "z", "Ä", "ä"]
    assert tree.paths("order_by=-path") == ["ä", "Ä", "z", "m", "b", "a", "Z", "A"]
    assert tree.paths("order_by=whatever") == ["m", "Z", "ä", "z", "Ä", "a", "A", "b"]
    assert tree.paths("order_by=created_at") == ["b", "A", "a", "Ä", "z", "ä", "Z", "m"]


def test_long_paths_are_told_apart_and_ordered(tree: Tree) -> None:
    """Beyond the beginning that indexes hold."""
    long = "x" * 350
    for end in ("b", "A", "c/1", "c/0", "c"):
        tree.make(f"{long}{end}")
    assert tree.paths("type=doc") == [f"{long}{end}" for end in ("A", "b", "c", "c/0", "c/1")]
    assert tree.paths(f"path={long}b") == [f"{long}b"]
    assert tree.paths(f"parent={long}c") == [f"{long}c/0", f"{long}c/1"]
    assert tree.paths(f"parent={long}c&depth=2") == [f"{long}c/0", f"{long}c/1"]
    assert tree.paths(f"parent={long}") == []
    assert tree.caller.post(f"{tree.path}count_by_path/?path={long}c").json()["count"] == 2


def test_ref_shows_originals_before_links(tree: Tree) -> None:
    original = tree.make("z", type="insight", ref="R")
    link = tree.link(original, "a").json()
    tree.make("other", ref="S")
    assert [entry["id"] for entry in tree.page("ref=R&order_by=path")["results"]] == [original["id"], link["id"]]
    assert tree.paths("type=insight&ref=R") == ["z", "a"]


def test_times_are_exact_cursors(tree: Tree) -> None:
    entries = [tree.make(f"{number}") for number in range(3)]
    at = quote(entries[1]["created_at"])
    assert tree.paths(f"created_at__gt={at}") == ["2"]
    assert tree.paths(f"created_at__lt={at}") == ["0"]
    assert tree.paths("created_at__gt=2020-01-01T00:00:00%2B02:00&created_at__lt=2020-01-02") == []
    assert tree.paths("created_at__lt=9999-12-31T23:59:59") == ["0", "1", "2"]


@pytest.mark.parametrize("text", ["soon", "2025-13-01", "2025-01-01T00:00:00 00:00", "0001-01-01T00:00:00%2B05:00"])
@pytest.mark.parametrize("name", ["created_at__gt", "created_at__lt"])
def test_what_is_no_time_is_named(tree: Tree, alice: Caller, name: str, text: str) -> None:
    answer = alice.get(f"{tree.path}?{name}={text}")
    assert envelope(answer)[::3] == (400, name)


def test_pages_neither_overlap_nor_skip(tree: Tree) -> None:
    for _ in range(30):
        tree.make("same")
    seen: list[str] = []
    address: str | None = f"{tree.path}?limit=7"
    while address:
        page = tree.caller.get(address).json()
        assert page["count"] == 30
        seen += [entry["id"] for entry in page["results"]]
        address = page["next"] and page["next"].removeprefix("http://testserver")
    assert len(seen) == len(set(seen)) == 30


@pytest.mark.parametrize("limit", ["0", "-3", "many", ""])
def test_a_senseless_limit_is_the_usual_one(tree: Tree, limit: str) -> None:
    Entry.objects.bulk_create(_rows(tree, 120))
    assert len(tree.paths(f"limit={limit}")) == 100


def test_limits_are_capped_and_exact(tree: Tree) -> None:
    Entry.objects.bulk_create(_rows(tree, 1100))
    assert len(tree.paths("limit=101")) == 101
    page = tree.page("limit=5000")
    assert len(page["results"]) == 1000
    assert "limit=1000" in page["next"]
    assert tree.page("offset=1000000000")["results"] == []
    assert tree.page("offset=1000000000")["users"] == []


def _rows(tree: Tree, count: int) -> list[Entry]:
    from hedgerow.files import derived

    project = int(tree.path.split("/")[3])
    return [Entry(project_id=project, **derived.columns(f"n{number:05}", "doc")) for number in range(count)]


# --- people and views --------------------------------------------------------------------------------------------


def test_users_are_those_named_in_the_meta_of_the_page(tree: Tree, people: People) -> None:
    alice, bob = people.alice, people.bob
    metas: list[Any] = [bob.pk, alice.pk, bob.pk, True, str(bob.pk), float(bob.pk), [bob.pk], 10**30, -1, None, {}]
    for number, made_by in enumerate([*metas, people.charlie.pk]):
        tree.make(f"{number:02}", meta={"created_by": made_by})
    page = tree.page()
    assert [user["id"] for user in page["users"]] == sorted([alice.pk, bob.pk])
    assert page["users"][0] == {
        "id": alice.pk,
        "uuid": str(alice.uuid),
        "first_name": "Alice",
        "last_name": "",
        "email": "alice@example.com",
    }
    assert tree.page("limit=1")["users"][0]["id"] == bob.pk
    assert tree.page("limit=2&offset=3")["users"] == []


def test_a_meta_that_is_no_object_does_not_break_the_list(tree: Tree) -> None:
    entry = tree.make("old")
    Entry.objects.filter(uuid=entry["id"]).update(meta=[1])
    assert tree.page()["users"] == []


@pytest.fixture
def viewed(tree: Tree, people: People) -> Tree:
    """0 to 9, of which Alice viewed 3, 7 (a link to it too) and 5, in this order; Bob all."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    for number in range(10):
        entry = tree.make(f"f/{number}", ref=f"R{number}", type="doc" if number % 2 else "insight")
        Entry.objects.filter(uuid=entry["id"]).update(created_at=start + timedelta(days=number))
        View.objects.create(
            user=people.bob, project=people.project, type=entry["type"], ref=entry["ref"], viewed_at=start
        )
    tree.link(tree.at("f/7", "doc"), "g/7")
    for day, number in enumerate((3, 7, 5)):
        body = {"type": "doc", "ref": f"R{number}", "viewed_at": f"2025-02-0{day + 1}T00:00:00Z"}
        assert tree.caller.post(f"{tree.path}log_view/", body).status_code == 204
    tree.caller.post(f"{tree.path}log_view/", {"type": "insight", "ref": "R9"})  # another type: not an entry
    return tree


BY_VIEW = ["f/5", "f/7", "g/7", "f/3", "f/9", "f/8", "f/6", "f/4", "f/2", "f/1", "f/0"]


def test_what_was_viewed_last_comes_first(viewed: Tree) -> None:
    assert viewed.paths("order_by=-last_viewed_at&not_type=folder") == BY_VIEW
    backwards = ["f/0", "f/1", "f/2", "f/4", "f/6", "f/8", "f/9", "f/3", "f/7", "g/7", "f/5"]
    assert viewed.paths("order_by=last_viewed_at&not_type=folder") == backwards


@pytest.mark.parametrize("order", ["-last_viewed_at", "last_viewed_at"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 11, 20])
def test_pages_by_view_add_up(viewed: Tree, order: str, limit: int) -> None:
    whole = viewed.page(f"order_by={order}&limit=1000")
    found = []
    for offset in range(0, 20, limit):
        page = viewed.page(f"order_by={order}&limit={limit}&offset={offset}")
        assert page["count"] == whole["count"] == 13
        found += page["results"]
    assert found == whole["results"]


def test_the_order_by_view_honours_every_filter(viewed: Tree) -> None:
    assert viewed.paths("order_by=-last_viewed_at&parent=f&type=doc&search=-name:9&limit=3&offset=1") == [
        "f/7",
        "f/3",
        "f/1",
    ]


def test_every_answer_shows_when_the_caller_viewed_the_thing(viewed: Tree, bob: Caller, base: str) -> None:
    at = "2025-02-02T00:00:00Z"
    assert [entry["last_viewed_at"] for entry in viewed.page("ref=R7")["results"]] == [at, at]
    entry = viewed.at("f/7", "doc")
    assert viewed.get(entry).json()["last_viewed_at"] == at
    assert viewed.move(entry, "h/7").json()["last_viewed_at"] == at
    assert viewed.caller.patch(f"{viewed.path}{entry['id']}/", {}).json()["last_viewed_at"] == at
    assert Tree(bob, base).get(entry).json()["last_viewed_at"] == "2025-01-01T00:00:00Z"
    counted = viewed.caller.post(f"{viewed.path}count_by_path/?path=h").json()
    assert counted["entries"][0]["last_viewed_at"] == at


# --- counting ----------------------------------------------------------------------------------------------------


def test_a_folder_counts_what_is_below_it(some: Tree, alice: Caller) -> None:
    folder = some.at("b")
    answer = alice.post(f"{some.path}{folder['id']}/count/", {"path": "ignored", "depth": "x"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["count"], body["has_more"]) == (5, False)
    assert [entry["path"] for entry in body["entries"]] == ["b/Y", "b/sub", "b/x", "b/sub/deep", "b/sub/deep/z"]
    assert alice.post(f"{some.path}count_by_path/?path=b/").json() == body
    assert alice.post(f"{some.path}count_by_path/?path=nothing").json() == {
        "count": 0,
        "entries": [],
        "has_more": False,
    }


def test_only_a_folder_and_a_path_can_be_counted(some: Tree, alice: Caller) -> None:
    file = some.at("a", "doc")
    assert envelope(alice.post(f"{some.path}{file['id']}/count/"))[:2] == (400, "invalid_input")
    assert envelope(alice.post(f"{some.path}count_by_path/"))[::3] == (400, "path")
    assert envelope(alice.post(f"{some.path}count_by_path/?path=/"))[::3] == (400, "path")


def test_the_preview_ends_after_200(tree: Tree) -> None:
    tree.folder("n")
    rows = _rows(tree, 250)
    for row in rows:
        row.path, row.depth = f"n/{row.path}", 2
    Entry.objects.bulk_create(rows)
    body = tree.caller.post(f"{tree.path}count_by_path/?path=n").json()
    assert (body["count"], len(body["entries"]), body["has_more"]) == (250, 200, True)
    assert body["entries"][-1]["path"] == "n/n00199"
