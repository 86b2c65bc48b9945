"""Moving and linking (file_system.md §10, §11)."""

from typing import Any
from uuid import RFC_4122

import pytest
from django.db import connection

from hedgerow.accounts.models import AccessRule
from hedgerow.core.ids import parse_uuid
from tests.api.conftest import Caller, envelope
from tests.api.trees import Tree
from tests.support import notes as kind
from tests.support.people import People

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("verb", ["move", "link"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"new_path": None}, "null"),
        ({"new_path": " "}, "blank"),
        ({"new_path": 7}, "invalid_input"),
        ({"new_path": ["a"]}, "invalid_input"),
        ({"new_path": "//"}, "invalid_input"),
        ({"new_path": "\x00"}, "invalid_input"),
        ({"new_path": "x" * 4001}, "max_length"),
        ({"new_path": "x/" * 51}, "invalid_input"),
    ],
)
def test_a_senseless_new_path_is_refused(alice: Caller, tree: Tree, verb: str, body: Any, code: str) -> None:
    entry = tree.make("a")
    answer = alice.post(f"{tree.path}{entry['id']}/{verb}/", body)
    assert envelope(answer)[::3] == (400, "new_path")
    assert envelope(answer)[1] == code
    assert tree.drawn() == ["a"]


def test_a_file_gets_the_path_and_keeps_the_rest(tree: Tree) -> None:
    entry = tree.make("a/x", ref="R", meta={"m": 1})
    tree.make("b/x")
    moved = tree.move(entry, " b//x ")
    assert moved.status_code == 200
    assert moved.json() == entry | {"path": "b/x"}
    assert tree.drawn() == ["a/", "b/", "b/x", "b/x"]
    assert tree.move(entry, "b/x/").json() == moved.json()
    assert tree.move(entry, "b").json()["path"] == "b"
    assert sorted(tree.drawn()) == ["a/", "b", "b/", "b/x"]


def test_a_folder_takes_everything_along_and_back(tree: Tree) -> None:
    tree.make("Team/a%b/x")
    tree.make("Team/a%b/Sub/y")
    tree.make("Teams/z")
    before = tree.page()["results"]
    folder = tree.at("Team")
    answer = tree.move(folder, r"New\/Old/Place")
    assert answer.json() == folder | {"path": r"New\/Old/Place", "depth": 2}
    assert sorted(tree.drawn()) == sorted(
        [
            *(r"New\/Old/", "Teams/", "Teams/z"),
            *(rf"New\/Old/Place{end}" for end in ("/", "/a%b/", "/a%b/Sub/", "/a%b/Sub/y", "/a%b/x")),
        ]
    )
    assert tree.paths("search=name:y path:place") == [r"New\/Old/Place/a%b/Sub/y"]
    assert tree.paths("search=path:team") == ["Teams/z"]
    tree.move(folder, "Team")
    assert [e for e in tree.page()["results"] if not e["path"].startswith("New")] == before


def test_a_folder_onto_itself_is_refused_in_any_spelling(tree: Tree) -> None:
    folder = tree.folder("a")
    for path in ("a", "/a/", " a"):
        assert envelope(tree.move(folder, path))[::3] == (400, "new_path")


def test_only_case_may_change(tree: Tree) -> None:
    tree.make("Team/x")
    tree.move(tree.at("Team"), "team")
    assert tree.drawn() == ["team/", "team/x"]


def test_a_folder_moves_below_itself_and_back(tree: Tree) -> None:
    tree.make("Team/x")
    tree.make("Team/Archive/y")
    folder = tree.at("Team")
    assert tree.move(folder, "Team/Archive").json()["id"] == folder["id"]
    assert tree.drawn() == [
        "Team/",
        "Team/Archive/",
        "Team/Archive/Archive/",
        "Team/Archive/Archive/y",
        "Team/Archive/x",
    ]
    again = tree.move(folder, "Team")
    assert again.json()["path"] == "Team"
    assert again.json()["id"] != folder["id"], "the folder that was made above remains"
    assert tree.drawn() == ["Team/", "Team/Archive/", "Team/Archive/y", "Team/x"]


def test_folders_of_one_name_inside_each_other_come_up_a_level(tree: Tree, alice: Caller) -> None:
    """Each takes the place of the one above, which may be stored after it and so leave later."""
    tree.make("A/B/B/B/x")
    for path in ("A/B", "A/B/B"):
        alice.patch(f"{tree.path}{tree.at(path)['id']}/", {"meta": {"written": "anew"}})
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # as it may choose to: rows are changed in the order they are stored in
            cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
    assert tree.move(tree.at("A/B"), "A").status_code == 200
    assert tree.drawn() == ["A/", "A/B/", "A/B/B/", "A/B/B/x"]
    tree.move(tree.at("A"), "A/B/B")
    assert tree.drawn() == ["A/", "A/B/", "A/B/B/", "A/B/B/B/", "A/B/B/B/B/", "A/B/B/B/B/x"]


def test_folders_that_meet_become_one_all_the_way_down(tree: Tree) -> None:
    for path in ("A/s/t/1", "A/s/2", "A/u/3", "B/s/t/1", "B/s/4"):
        tree.make(path)
    remains, inner = tree.at("B"), tree.at("B/s/t")
    assert tree.move(tree.at("A"), "B").json()["id"] == remains["id"]
    files = ["B/s/2", "B/s/4", "B/s/t/1", "B/s/t/1", "B/u/3"]
    assert sorted(tree.drawn()) == sorted(["B/", "B/s/", "B/s/t/", "B/u/", *files])
    assert tree.at("B/s/t")["id"] == inner["id"]


def test_where_a_linked_and_an_ordinary_folder_meet_the_ordinary_one_remains(tree: Tree) -> None:
    tree.make("A/s/1")
    tree.link(tree.at("A"), "L")
    ordinary = tree.at("A")
    assert tree.move(ordinary, "L").json()["id"] == ordinary["id"]
    assert tree.drawn() == ["L/", "L/s/", "L/s/1", "L/s/1*"]
    assert not tree.at("L/s")["shortcut"]


def test_a_move_that_would_go_too_deep_or_too_far_fails_whole(tree: Tree) -> None:
    tree.make("a/" * 48 + "x")
    tree.make("b/" + "y" * 3990)
    before = tree.drawn()
    assert envelope(tree.move(tree.at("a"), "c/d/a"))[::3] == (400, "new_path")
    assert envelope(tree.move(tree.at("b"), "longer than that"))[:2] == (400, "max_length")
    assert tree.drawn() == before
    assert tree.move(tree.at("a"), "c/a").status_code == 200


def test_shortcuts_to_folders_follow(tree: Tree, alice: Caller, bob: Caller, base: str) -> None:
    shortcuts = f"{base}/file_system_shortcut/"
    tree.make("A/s/1")
    tree.folder("As")
    for caller in (alice, bob):
        for ref in ("A", "A/s", "As"):
            caller.post(shortcuts, {"path": ref, "type": "folder", "ref": ref})
    alice.post(shortcuts, {"path": "no folder", "type": "doc", "ref": "A"})
    tree.move(tree.at("A"), "New/B")
    assert {each["ref"] for each in bob.get(shortcuts).json()["results"]} == {"New/B", "New/B/s", "As"}
    tree.move(tree.at("New/B"), "As")
    assert {each["ref"] for each in alice.get(shortcuts).json()["results"]} == {"As", "As/s", "A"}


# --- links -------------------------------------------------------------------------------------------------------


def test_a_link_of_a_file_is_a_second_entry(tree: Tree) -> None:
    entry = tree.make("a/x", ref="R", href="/r", meta={"m": 1}, type="insight")
    link = tree.link(entry, "Team/x").json()
    assert link == entry | {"id": link["id"], "path": "Team/x", "shortcut": True}
    assert link["id"] != entry["id"]
    assert tree.link(entry, "Team/x").json() == link
    assert tree.link(link, "Team/x").status_code == 400, "onto its own path"
    assert tree.link(entry, "Team/y").json()["id"] != link["id"]
    assert tree.drawn() == ["Team/", "Team/x*", "Team/y*", "a/", "a/x"]


def test_a_link_of_a_folder_copies_what_is_there_at_that_moment(tree: Tree) -> None:
    for path in ("a/x", "a/s/y", "a/s/y"):
        tree.make(path, ref=path)
    linked = tree.link(tree.at("a"), "L/a").json()
    assert (linked["path"], linked["shortcut"]) == ("L/a", True)
    ids = [parse_uuid(entry["id"]) for entry in tree.page("search=path:l")["results"]]
    assert len(set(ids)) == 4
    assert {id and (id.version, id.variant) for id in ids} == {(7, RFC_4122)}
    copy = ["L/", "L/a/*", "L/a/s/*", "L/a/s/y*", "L/a/x*"]
    assert sorted(tree.drawn()) == sorted([*copy, "a/", "a/s/", "a/s/y", "a/s/y", "a/x"])
    tree.make("a/later")
    assert tree.link(tree.at("a"), "L/a").json() == linked
    assert sorted(tree.drawn())[:6] == ["L/", "L/a/*", "L/a/later*", "L/a/s/*", "L/a/s/y*", "L/a/x*"]
    assert tree.paths("search=path:l name:y") == ["L/a/s/y"]


def test_a_link_uses_the_folders_that_are_there(tree: Tree) -> None:
    tree.make("a/s/x")
    there = tree.folder("b/s")
    answer = tree.link(tree.at("a"), "b").json()
    assert (answer["id"], answer["shortcut"]) == (tree.at("b")["id"], False)
    assert tree.at("b/s")["id"] == there["id"]
    assert tree.drawn() == ["a/", "a/s/", "a/s/x", "b/", "b/s/", "b/s/x*"]


def test_a_folder_cannot_be_linked_into_itself(tree: Tree) -> None:
    folder = tree.folder("a/b")
    for path in ("a/b", "a/b/c", "/a/b/"):
        assert envelope(tree.link(folder, path))[::3] == (400, "new_path")
    assert tree.link(folder, "a").status_code == 200
    tree.make("d/" * 49 + "x")
    assert envelope(tree.link(tree.at("d"), "e/d"))[::3] == (400, "new_path")


# --- what the caller does not see --------------------------------------------------------------------------------


@pytest.fixture
def secret(tree: Tree, people: People, notes: None) -> Any:
    """Below Team: a secret object of Alice that Bob does not see, and things he does."""
    note = kind.make(people.project, "Secret", people.alice)
    AccessRule.objects.create(
        project=people.project, resource=kind.TYPE, object_id=str(note.pk), level="none", membership=None
    )
    tree.move(tree.at("Unfiled/Insights/Secret", "insight"), "Team/Deep/Secret")
    tree.make("Team/Deep/x")
    tree.delete(tree.at("Unfiled"))
    return note


def test_hidden_entries_stay_with_their_folders(tree: Tree, bob: Caller, base: str, secret: Any) -> None:
    mine = Tree(bob, base)
    assert mine.drawn() == ["Team/", "Team/Deep/", "Team/Deep/x"]
    assert bob.post(f"{mine.path}count_by_path/?path=Team").json()["count"] == 2
    mine.link(mine.at("Team"), "Linked")
    mine.move(mine.at("Team"), "Moved")
    moved = ["Moved/", "Moved/Deep/", "Moved/Deep/x"]
    linked = ["Linked/*", "Linked/Deep/*", "Linked/Deep/x*"]
    assert tree.drawn() == [*linked, *moved, "Team/", "Team/Deep/", "Team/Deep/Secret"]
    mine.delete(mine.at("Team"))
    assert tree.drawn() == [*linked, *moved, "Team/", "Team/Deep/", "Team/Deep/Secret"]
    entry = tree.at("Team/Deep/Secret", "insight")
    for answer in (mine.get(entry), mine.move(entry, "x"), mine.link(entry, "x"), mine.delete(entry)):
        assert envelope(answer)[0] == 404


def test_a_folder_moved_below_itself_leaves_what_is_hidden(tree: Tree, bob: Caller, base: str, secret: Any) -> None:
    mine = Tree(bob, base)
    mine.move(mine.at("Team"), "Team/Deep")
    assert tree.drawn() == [
        "Team/",
        "Team/Deep/",
        "Team/Deep/Deep/",
        "Team/Deep/Deep/x",
        "Team/Deep/Secret",
    ]


def test_the_maker_of_an_entry_has_no_privilege_over_the_object(
    tree: Tree, bob: Caller, base: str, secret: Any
) -> None:
    mine = Tree(bob, base)
    mine.make("Mine", type="insight", ref=str(secret.pk), shortcut=True)
    assert "Mine" not in mine.paths()
    assert "Mine" in tree.paths()
