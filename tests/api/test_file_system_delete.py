"""Deleting entries and objects, undoing it, and objects that file themselves (file_system.md §8, §12, §13)."""

from typing import Any

import pytest

from hedgerow.accounts.models import AccessRule
from hedgerow.files.models import Entry, Shortcut, View
from hedgerow.sources.models import Source
from hedgerow.warehouse.models import Table
from tests.api import sources
from tests.api.conftest import Caller, envelope
from tests.api.trees import Tree
from tests.support import notes as kind
from tests.support.fake_connector import FakeConnector
from tests.support.people import People

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("notes")]


def test_an_entry_that_stands_for_nothing_just_goes(tree: Tree) -> None:
    for values in ({}, {"type": "insight", "ref": None}, {"type": "insight", "ref": "gone"}, {"type": "x", "ref": "y"}):
        answer = tree.delete(tree.make("a/b", **values))
        assert (answer.status_code, answer.content) == (204, b"")
        assert "Content-Type" not in answer.headers
    assert tree.drawn() == ["a/"]


def test_twice_is_not_found(tree: Tree) -> None:
    entry = tree.make("a")
    assert [tree.delete(entry).status_code for _ in range(2)] == [204, 404]


def test_a_folder_goes_with_everything_below_it(tree: Tree) -> None:
    for path in ("a/s/x", "a/y", "ab/z", "a"):
        tree.make(path)
    assert tree.delete(tree.at("a")).status_code == 204
    assert sorted(tree.drawn()) == ["a", "ab/", "ab/z"]


def test_a_linked_folder_goes_with_its_contents_and_leaves_the_original(tree: Tree, people: People) -> None:
    note = kind.make(people.project, "N", people.alice)
    tree.link(tree.at("Unfiled"), "L")
    assert tree.delete(tree.at("L")).status_code == 204
    assert tree.drawn() == ["Unfiled/", "Unfiled/Insights/", "Unfiled/Insights/N"]
    assert Table.objects.get(pk=note.pk).deleted_at is None


def test_an_object_goes_with_its_original_entry(
    tree: Tree, alice: Caller, bob: Caller, people: People, base: str
) -> None:
    first, second = (kind.make(people.project, name, people.alice) for name in ("Funnel", "Other"))
    entry = tree.at("Unfiled/Insights/Funnel", "insight")
    tree.move(entry, "Marketing/Deep/Funnel")
    tree.link(entry, "Elsewhere/Link")
    thing = {"type": "insight", "ref": str(first.pk)}
    bob.post(f"{base}/file_system_shortcut/", {"path": "Mine", **thing})
    bob.post(f"{tree.path}log_view/", thing)
    tree.move(tree.at("Unfiled/Insights"), "Marketing/Rest")
    answer = tree.delete(tree.at("Marketing"))
    assert answer.status_code == 200
    undo = {"mode": "soft", "can_undo": True, "undo": kind.KIND.undo}
    assert answer.json() == {
        "deleted": [
            {"type": "insight", "ref": str(first.pk), "path": "Marketing/Deep/Funnel", **undo},
            {"type": "insight", "ref": str(second.pk), "path": "Marketing/Rest/Other", **undo},
        ]
    }
    assert tree.drawn() == ["Elsewhere/", "Unfiled/"]
    assert not Table.objects.filter(deleted_at=None).exists()
    assert not Shortcut.objects.exists()
    assert not View.objects.exists()


def test_a_link_alone_takes_no_object_with_it(tree: Tree, people: People) -> None:
    kind.make(people.project, "N", people.alice)
    link = tree.link(tree.at("Unfiled/Insights/N", "insight"), "a/b").json()
    assert tree.delete(link).status_code == 204
    tree.link(tree.at("Unfiled/Insights/N", "insight"), "a/b")
    assert tree.delete(tree.at("a")).status_code == 204
    assert tree.drawn() == ["Unfiled/", "Unfiled/Insights/", "Unfiled/Insights/N"]


def test_views_last_as_long_as_an_original_does(tree: Tree, alice: Caller) -> None:
    first, second = (tree.make(f"f/{number}", ref="R") for number in range(2))
    other = tree.make("f/keep", ref="S")
    for ref in ("R", "S", "never in the tree"):
        alice.post(f"{tree.path}log_view/", {"type": "doc", "ref": ref})
    link = tree.link(first, "L").json()
    tree.delete(first)
    assert tree.get(second).json()["last_viewed_at"] is not None
    tree.move(other, "kept")
    tree.delete(tree.at("f"))
    assert tree.get(link).json()["last_viewed_at"] is None
    seen = {each["ref"] for each in alice.get(f"{tree.path}log_view/").json()}
    assert seen == {"S", "never in the tree"}


def test_shortcuts_to_deleted_folders_go(tree: Tree, alice: Caller, bob: Caller, base: str) -> None:
    tree.make("a/s/x")
    tree.folder("as")
    for ref in ("a", "a/s", "as", "b"):
        bob.post(f"{base}/file_system_shortcut/", {"path": "n", "type": "folder", "ref": ref})
    tree.delete(tree.at("a"))
    assert sorted(each["ref"] for each in bob.get(f"{base}/file_system_shortcut/").json()["results"]) == ["as", "b"]


# --- rights ------------------------------------------------------------------------------------------------------


def test_one_object_that_may_not_be_deleted_keeps_everything(
    tree: Tree, bob: Caller, base: str, people: People
) -> None:
    note = kind.make(people.project, "N", people.alice)
    tree.make("Unfiled/plain")
    AccessRule.objects.create(
        project=people.project, resource="insight", object_id=str(note.pk), level="viewer", membership=None
    )
    mine, before = Tree(bob, base), tree.drawn()
    for path in ("Unfiled", "Unfiled/Insights"):
        answer = mine.delete(tree.at(path))
        assert envelope(answer)[::2] == (403, "You do not have editor access to this resource.")
    assert tree.drawn() == before
    assert mine.move(tree.at("Unfiled/Insights/N", "insight"), "anywhere").status_code == 200, "sight is enough to move"


def test_the_key_needs_the_object_s_own_scope(tree: Tree, people: People, api: Any) -> None:
    kind.make(people.project, "N", people.alice)
    caller = api(people.key(people.alice, ["file_system:write"]))
    text = "API key missing required scope 'insight:write'"
    path = tree.path
    assert envelope(caller.delete(f"{path}{tree.at('Unfiled')['id']}/")) == (403, "permission_denied", text, None)
    assert "Unfiled/Insights/N" in tree.paths()
    both = api(people.key(people.alice, ["file_system:write", "insight:write"]))
    assert both.delete(f"{path}{tree.at('Unfiled')['id']}/").status_code == 200
    item = {"type": "insight", "ref": str(Table.objects.get().pk)}
    assert envelope(caller.post(f"{path}undo_delete/", {"items": [item]}))[::2] == (403, text)


# --- undoing -----------------------------------------------------------------------------------------------------


def test_deleted_objects_come_back_where_they_are_wanted(tree: Tree, alice: Caller, people: People) -> None:
    made = [kind.make(people.project, name, people.alice) for name in ("A", "B", "a/b")]
    tree.link(tree.at("Unfiled/Insights/A", "insight"), "Link")
    gone = tree.delete(tree.at("Unfiled")).json()["deleted"]
    tree.folder("Kept/There")
    items = [{"type": "insight", "ref": str(note.pk)} for note in made]
    body = {
        "items": [{**items[0], "path": gone[0]["path"]}, {**items[1], "path": "Kept/There/"}, {**items[2], "path": " "}]
    }
    answer = alice.post(f"{tree.path}undo_delete/", body)
    assert (answer.status_code, answer.json()) == (200, {"undone": items})
    there = ["Kept/", "Kept/There", "Kept/There/", "Unfiled/", "Unfiled/Insights/", "Unfiled/Insights/A"]
    assert sorted(tree.drawn()) == [*there, r"Unfiled/Insights/a\/b"]
    assert Table.objects.filter(deleted_at=None).count() == 3
    assert envelope(alice.post(f"{tree.path}undo_delete/", body))[0] == 400, "they are live"


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({}, "items"),
        ({"items": "x"}, "items"),
        ({"items": None}, "items"),
        ({"items": [{"type": "insight"}]}, "items__0__ref"),
        ({"items": [{"ref": "x", "type": " "}]}, "items__0__type"),
        ({"items": [{"ref": "x", "type": "insight", "path": "//"}]}, "items__0__path"),
        ({"items": [{"ref": "x", "type": "insight"}] * 501}, "items"),
    ],
)
def test_what_cannot_be_understood_is_named(tree: Tree, alice: Caller, body: Any, attr: str) -> None:
    assert envelope(alice.post(f"{tree.path}undo_delete/", body))[::3] == (400, attr)


def test_whatever_stands_in_the_way_reads_the_same(
    tree: Tree, alice: Caller, bob: Caller, people: People, fake: FakeConnector, base: str
) -> None:
    live, gone, secret = (kind.make(people.project, name, people.alice) for name in ("L", "G", "S"))
    elsewhere = kind.make(people.elsewhere, "E", people.charlie)
    source = sources.create(alice, base)
    alice.delete(f"{base}/external_data_sources/{source['id']}/")
    for note in (gone, secret, elsewhere):
        kind.delete(note)
    AccessRule.objects.create(
        project=people.project, resource="insight", object_id=str(secret.pk), level="viewer", membership=None
    )
    refused = [(kind.TYPE, live.pk), (kind.TYPE, elsewhere.pk), (kind.TYPE, "x"), ("doc", "x"), ("folder", "Unfiled")]
    refused += [("external_data_source", source["id"]), (kind.TYPE, secret.pk)]
    good = {"type": kind.TYPE, "ref": str(gone.pk)}
    answers = set()
    for type, ref in refused:
        bad = {"type": type, "ref": str(ref)}
        answers.add(envelope(bob.post(f"{tree.path}undo_delete/", {"items": [good, bad]})))
    answers.add(envelope(bob.post(f"{tree.path}undo_delete/", {"items": [good, good]})))
    assert answers == {(400, "invalid_input", "This object cannot be restored.", "items")}
    assert Table.objects.get(pk=gone.pk).deleted_at is not None, "all or nothing"
    assert bob.post(f"{tree.path}undo_delete/", {"items": []}).json() == {"undone": []}


# --- objects file themselves -------------------------------------------------------------------------------------


def test_a_source_files_itself_and_leaves_with_its_entry(
    tree: Tree, alice: Caller, fake: FakeConnector, base: str, people: People
) -> None:
    source = sources.create(alice, base, prefix="shop_")
    path = "Unfiled/Data sources/MySQL (shop_)"
    assert tree.drawn() == ["Unfiled/", "Unfiled/Data sources/", path]
    entry = tree.at(path, "external_data_source")
    assert (entry["ref"], entry["href"]) == (source["id"], f"/data-warehouse/sources/{source['id']}")
    assert entry["created_at"] == source["created_at"]
    assert entry["meta"] == {"created_at": source["created_at"], "created_by": people.alice.pk}
    sources.create(alice, base)
    assert "Unfiled/Data sources/MySQL" in tree.paths("search=user:alice")
    answer = tree.delete(entry)
    assert answer.json() == {
        "deleted": [
            {
                "type": "external_data_source",
                "ref": source["id"],
                "path": path,
                "mode": "hard",
                "can_undo": False,
                "undo": "",
            }
        ]
    }
    row = Source.objects.get(id=source["id"])
    assert (row.deleted_at is not None, row.sealed_settings) == (True, "")
    assert alice.get(f"{base}/external_data_sources/{source['id']}/").status_code == 404


def test_a_source_deleted_by_its_own_route_leaves_the_tree(
    tree: Tree, alice: Caller, fake: FakeConnector, base: str
) -> None:
    source = sources.create(alice, base)
    entry = tree.at("Unfiled/Data sources/MySQL", "external_data_source")
    tree.link(entry, "Link")
    tree.move(entry, "Mine/DB")
    thing = {"type": "external_data_source", "ref": source["id"]}
    alice.post(f"{tree.path}log_view/", thing)
    alice.post(f"{base}/file_system_shortcut/", {"path": "x", **thing})
    assert alice.delete(f"{base}/external_data_sources/{source['id']}/").status_code == 204
    assert tree.drawn() == ["Mine/", "Unfiled/", "Unfiled/Data sources/"]
    assert not View.objects.exists()
    assert not Shortcut.objects.exists()


def test_a_source_that_is_not_stored_files_nothing(tree: Tree, alice: Caller, fake: FakeConnector, base: str) -> None:
    sources.create(alice, base)
    from tests.support.fake_connector import body_of

    assert alice.post(f"{base}/external_data_sources/", body_of()).status_code == 400
    assert len(tree.paths()) == 3


def test_a_second_original_is_a_conflict(tree: Tree, alice: Caller, people: People) -> None:
    note = kind.make(people.project, "N", people.alice)
    same = {"type": "insight", "ref": str(note.pk)}
    text = "This object already has its entry. Make a link to it, or send shortcut: true."
    answer = alice.post(tree.path, {"path": "a/b", **same})
    assert envelope(answer) == (409, "conflict", text, "ref")
    assert "a" not in tree.paths()
    link = tree.make("a/b", **same, shortcut=True)
    other = tree.make("c", type="doc", ref=str(note.pk))
    for entry, change in ((link, {"shortcut": False}), (other, {"type": "insight"}), (link, {"shortcut": None})):
        assert envelope(alice.patch(f"{tree.path}{entry['id']}/", change))[::3] == (409, "ref")


def test_an_object_renamed_renames_its_entries_where_they_are(
    tree: Tree, people: People, alice: Caller, base: str
) -> None:
    note = kind.make(people.project, "Old", people.alice)
    entry = tree.at("Unfiled/Insights/Old", "insight")
    tree.move(entry, "Team/By hand")
    tree.link(entry, "Links/Old")
    tree.link(entry, "Links/My name")
    alice.post(f"{base}/file_system_shortcut/", {"path": "Mine", "type": "insight", "ref": str(note.pk)})
    kind.rename(note, "New/er")
    names = {each["path"] for each in tree.page("type=insight")["results"]}
    assert names == {r"Team/New\/er", r"Links/New\/er", "Links/My name"}
    assert alice.get(f"{base}/file_system_shortcut/").json()["results"][0]["path"] == r"New\/er"
    assert tree.paths("search=name:new/er type:insight") == [r"Links/New\/er", r"Team/New\/er"]


def test_unfiled_makes_what_is_missing_once(tree: Tree, alice: Caller, people: People) -> None:
    for name in ("A", "B", "B", ""):
        kind.make(people.project, name + " " * Table.objects.count(), people.alice, filed=False)
    kind.make(people.project, "gone", None, filed=False)
    Table.objects.filter(name="gone").update(deleted_at="2025-01-01T00:00:00Z")
    assert alice.get(f"{tree.path}unfiled/?type=folder").json() == {"count": 0}
    assert alice.get(f"{tree.path}unfiled/?type=external_data_source").json() == {"count": 0}
    assert alice.get(f"{tree.path}unfiled/").json() == {"count": 4}
    assert alice.get(f"{tree.path}unfiled/?type=insight").json() == {"count": 0}
    filed = ["Unfiled/Insights/A", "Unfiled/Insights/B", "Unfiled/Insights/B", "Unfiled/Insights/Untitled"]
    assert tree.drawn() == ["Unfiled/", "Unfiled/Insights/", *filed]
    entry = tree.at("Unfiled/Insights/A", "insight")
    alice.patch(f"{tree.path}{entry['id']}/", {"shortcut": True})
    assert alice.get(f"{tree.path}unfiled/").json() == {"count": 1}


def test_who_may_only_view_files_nothing(tree: Tree, vera: Caller, bob: Caller, people: People) -> None:
    kind.make(people.project, "A", people.alice, filed=False)
    note = kind.make(people.project, "B", None, filed=False)
    AccessRule.objects.create(
        project=people.project, resource="insight", object_id=str(note.pk), level="none", membership=None
    )
    assert vera.get(f"{tree.path}unfiled/").json() == {"count": 0}
    assert not Entry.objects.exists()
    assert bob.get(f"{tree.path}unfiled/").json() == {"count": 1}, "of two that were made Bob sees one"
    assert tree.at("Unfiled/Insights/B", "insight")["meta"]["created_by"] is None
