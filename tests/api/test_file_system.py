"""Making, reading and changing entries (file_system.md §2, §5, §6, §7)."""

from typing import Any

import pytest

from hedgerow.core.ids import parse_uuid
from tests.api.conftest import Caller, envelope
from tests.api.trees import Tree

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-7000-8000-000000000000"
FORM = "application/x-www-form-urlencoded"


def test_an_entry_shows_every_member(tree: Tree) -> None:
    sent: dict[str, Any] = {
        "path": "Marketing/Launch/Checklist",
        "href": "https://wiki.example.com/launch",
        "meta": {"a": [1, None]},
    }
    made = tree.make(**sent, ref="R", id=NOBODY, depth=9, created_at="2020-01-01T00:00:00Z", unknown=1)
    id, created_at = made.pop("id"), made.pop("created_at")
    parsed = parse_uuid(id)
    assert parsed is not None
    assert parsed.version == 7
    assert created_at.endswith("Z")
    assert created_at > "2025"
    rest = {"depth": 3, "type": "doc", "ref": "R", "shortcut": False, "last_viewed_at": None}
    assert made == sent | rest
    assert tree.get({"id": id}).json() == {"id": id, "created_at": created_at, **made}


def test_what_is_left_out_has_its_default(alice: Caller, tree: Tree) -> None:
    made = alice.post(tree.path, {"path": "x", "meta": None, "shortcut": None}).json()
    assert {name: made[name] for name in ("type", "ref", "href", "meta", "shortcut")} == {
        "type": "",
        "ref": None,
        "href": None,
        "meta": {},
        "shortcut": False,
    }


@pytest.mark.parametrize("sent", [None, "", "null", "false", 0])
def test_no_flag_is_false(alice: Caller, tree: Tree, sent: Any) -> None:
    made = alice.post(tree.path, {"path": "x", "shortcut": sent}).json()
    assert made["shortcut"] is False
    assert alice.patch(f"{tree.path}{made['id']}/", {"shortcut": sent}).json()["shortcut"] is False


def test_parents_are_made_with_their_names_escaped(tree: Tree) -> None:
    tree.make(r"R\/D/Plan/x")
    assert tree.drawn() == [r"R\/D/", r"R\/D/Plan/", r"R\/D/Plan/x"]
    assert tree.at(r"R\/D")["depth"] == 1
    assert tree.at(r"R\/D")["meta"] == {}


def test_only_a_folder_is_a_parent(tree: Tree) -> None:
    tree.make("notes")
    tree.make("notes/today")
    assert sorted(tree.drawn()) == ["notes", "notes/", "notes/today"]


def test_a_folder_is_made_once(alice: Caller, tree: Tree) -> None:
    first = alice.post(tree.path, {"path": "a/b", "type": "folder"})
    again = alice.post(tree.path, {"path": " /a//b/ ", "type": "folder", "meta": {"other": 1}, "shortcut": True})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert alice.post(tree.path, {"path": "a", "type": "folder"}).status_code == 200


def test_files_may_share_a_path(tree: Tree) -> None:
    assert tree.make("Untitled")["id"] != tree.make("Untitled")["id"]
    tree.folder("Untitled")
    assert tree.page()["count"] == 3


def test_a_form_works_too(alice: Caller, tree: Tree) -> None:
    body = "path=From+a+form&type=doc&shortcut=true&meta=%7B%22a%22%3A+1%7D&href="
    made = alice.post(tree.path, body, content_type=FORM)
    assert made.status_code == 201, made.content
    assert (made.json()["meta"], made.json()["shortcut"], made.json()["path"]) == ({"a": 1}, True, "From a form")


@pytest.mark.parametrize(
    ("body", "code", "attr"),
    [
        ({}, "required", "path"),
        ({"path": None}, "null", "path"),
        ({"path": ""}, "blank", "path"),
        ({"path": " \t"}, "blank", "path"),
        ({"path": 5}, "invalid_input", "path"),
        ({"path": ["a"]}, "invalid_input", "path"),
        ({"path": True}, "invalid_input", "path"),
        ({"path": "a\x00b"}, "invalid_input", "path"),
        ({"path": "/ /"}, "invalid_input", "path"),
        ({"path": "x" * 4001}, "max_length", "path"),
        ({"path": "x/" * 51}, "invalid_input", "path"),
        ({"path": "x", "type": "t" * 101}, "max_length", "type"),
        ({"path": "x", "type": None}, "null", "type"),
        ({"path": "x", "ref": "t" * 101}, "max_length", "ref"),
        ({"path": "x", "ref": "\ud800"}, "invalid_input", "ref"),
        ({"path": "x", "meta": "no"}, "not_a_dict", "meta"),
        ({"path": "x", "meta": [1]}, "not_a_dict", "meta"),
        ({"path": "x", "meta": {"a": {"b": "\x00"}}}, "invalid_input", "meta"),
        ({"path": "x", "meta": {"a": "x" * 1_000_000}}, "invalid_input", "meta"),
        ({"path": "x", "href": " JavaScript:alert(1)"}, "invalid_input", "href"),
        ({"path": "x", "href": "java\nscript:alert(1)"}, "invalid_input", "href"),
        ({"path": "x", "href": "data:text/html,x"}, "invalid_input", "href"),
        ({"path": "x", "href": "\tVBScript:x"}, "invalid_input", "href"),
        ({"path": "x", "shortcut": "perhaps"}, "invalid_input", "shortcut"),
    ],
)
def test_what_makes_no_sense_is_refused(alice: Caller, tree: Tree, body: Any, code: str, attr: str) -> None:
    status, told, _, field = envelope(alice.post(tree.path, body))
    assert (status, told, field) == (400, code, attr)
    assert tree.drawn() == []


@pytest.mark.parametrize("body", ["[1]", '"x"', "null", "{"])
def test_a_body_that_is_no_object_is_refused(alice: Caller, tree: Tree, body: str) -> None:
    assert envelope(alice.post(tree.path, body))[:2] in ((400, "invalid_input"), (400, "parse_error"))


def test_the_largest_that_fits_is_stored_and_returned(tree: Tree) -> None:
    deep: Any = {}
    for _ in range(180):
        deep = {"d": deep}
    many = {f"{number}": number for number in range(60_000)}
    for number, meta in enumerate((deep, many, {"😀": "עברית"})):
        assert tree.make(f"m{number}", meta=meta)["meta"] == meta
    assert tree.make("ß" * 4000)["depth"] == 1
    assert tree.make("/".join(["😀" * 79] * 50))["depth"] == 50
    assert len(tree.make("/".join(["\u0301" + "y" * 300] * 10))["path"]) == 3019
    assert tree.make("t", type="t" * 100, ref="r" * 100, href="/insights/1")["href"] == "/insights/1"


def test_two_normal_forms_are_two_names(tree: Tree) -> None:
    tree.folder("é")
    tree.folder("e\u0301")
    tree.folder("É")
    assert tree.page()["count"] == 3


@pytest.mark.parametrize("id", [NOBODY, "1", "x", "00000000000070008000000000000000", "no-such-route"])
def test_an_id_that_names_nothing_is_not_found(alice: Caller, tree: Tree, id: str) -> None:
    path = f"{tree.path}{id}/"
    requests = [("GET", path, None), ("PATCH", path, {}), ("PUT", path, {"path": "x"}), ("DELETE", path, None)]
    requests += [("POST", f"{path}count/", None)]
    requests += [("POST", f"{path}{name}/", {"new_path": "x"}) for name in ("move", "link")]
    for method, address, body in requests:
        assert envelope(alice.send(method, address, body)) == (404, "not_found", "Not found.", None), address


def test_entries_of_another_project_are_absent(charlie: Caller, tree: Tree, people: Any) -> None:
    entry = tree.make("a")
    path = f"/api/environments/{people.elsewhere.pk}/file_system/{entry['id']}/"
    assert envelope(charlie.get(path))[0] == 404
    assert envelope(charlie.delete(path))[0] == 404
    assert tree.drawn() == ["a"]


# --- changing ----------------------------------------------------------------------------------------------------


def test_a_patch_changes_what_it_names(alice: Caller, tree: Tree) -> None:
    made = tree.make("a/b", ref="R", meta={"old": 1}, href="/x")
    path = f"{tree.path}{made['id']}/"
    assert alice.patch(path, {}).json() == made
    assert alice.patch(path, {"id": NOBODY, "depth": 7, "created_at": "2020-01-01"}).json() == made
    changed = alice.patch(path, {"meta": {"new": 2}, "type": "other"}).json()
    assert changed == made | {"meta": {"new": 2}, "type": "other"}
    assert alice.put(path, {"path": "a/c"}).json() == changed | {"path": "a/c"}
    assert envelope(alice.put(path, {"meta": {}})) == (400, "required", "This field is required.", "path")
    refused = alice.patch(path, {"path": "elsewhere", "meta": 5})
    assert envelope(refused)[3] == "meta"
    assert tree.drawn() == ["a/", "a/c"]


def test_a_new_path_of_a_folder_takes_its_contents_along(alice: Caller, tree: Tree) -> None:
    folder = tree.folder("Team")
    tree.make("Team/Sub/x")
    answer = alice.patch(f"{tree.path}{folder['id']}/", {"path": "New/Place", "meta": {"a": 1}})
    assert answer.json() == folder | {"path": "New/Place", "depth": 2, "meta": {"a": 1}}
    assert tree.drawn() == ["New/", "New/Place/", "New/Place/Sub/", "New/Place/Sub/x"]
    assert alice.patch(f"{tree.path}{folder['id']}/", {"path": "New/Place/"}).status_code == 200


def test_a_folder_changed_onto_another_becomes_that_one(alice: Caller, tree: Tree) -> None:
    moved, other = tree.folder("A"), tree.folder("B")
    tree.make("A/x")
    answer = alice.patch(f"{tree.path}{moved['id']}/", {"path": "B"})
    assert answer.json()["id"] == other["id"]
    assert tree.get(moved).status_code == 404
    assert tree.drawn() == ["B/", "B/x"]


def test_a_folder_with_contents_stays_a_folder(alice: Caller, tree: Tree) -> None:
    folder, file = tree.folder("A"), tree.make("A/x")
    path = f"{tree.path}{folder['id']}/"
    assert envelope(alice.patch(path, {"type": "doc"}))[::3] == (400, "type")
    same = tree.make("A")
    assert envelope(alice.patch(f"{tree.path}{same['id']}/", {"type": "folder"}))[::3] == (400, "type")
    assert alice.patch(f"{tree.path}{file['id']}/", {"type": "folder"}).json()["type"] == "folder"
    tree.delete(tree.at("A/x"))
    assert alice.patch(path, {"type": "doc"}).json()["type"] == "doc"


def test_another_method_is_405(alice: Caller, tree: Tree) -> None:
    entry = tree.make("a")
    for method, path in [("PUT", ""), ("DELETE", ""), ("GET", f"{entry['id']}/move/"), ("POST", "unfiled/")]:
        assert envelope(alice.send(method, f"{tree.path}{path}", {}))[0] == 405


def test_both_addresses_show_the_same_tree(alice: Caller, tree: Tree) -> None:
    tree.make("a")
    other = alice.get(tree.path.replace("environments", "projects").rstrip("/"))
    assert [entry["path"] for entry in other.json()["results"]] == ["a"]
