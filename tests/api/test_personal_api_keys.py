"""People manage their keys; a key sees only itself."""

from datetime import timedelta
from typing import Any

import pytest

from hedgerow.accounts import keys, sessions
from hedgerow.core import clock
from tests.api.conftest import Caller, envelope
from tests.support.people import People

URL = "/api/personal_api_keys/"
MEMBERS = {
    "id",
    "label",
    "value",
    "mask_value",
    "created_at",
    "last_used_at",
    "last_rolled_at",
    "user_id",
    "scopes",
    "scoped_teams",
    "scoped_organizations",
}
NEW = {"label": "nightly sync", "scopes": ["external_data_source:write", "export:read"]}


@pytest.fixture
def browser(people: People, api: type[Caller]) -> Caller:
    """Bob's, just signed in."""
    people.bob.set_password("correct horse")
    people.bob.save()
    caller = api()
    assert caller.post("/api/login/", {"email": "bob@example.com", "password": "correct horse"}).status_code == 200
    return caller


def test_a_new_key_shows_its_value_once(people: People, browser: Caller, api: type[Caller]) -> None:
    made = browser.post(URL, NEW | {"scoped_teams": [people.project.pk]})
    assert made.status_code == 201, made.content
    body = made.json()
    assert body.keys() == MEMBERS
    assert body["value"].startswith("phx_")
    assert body["mask_value"] == f"phx_...{body['value'][-4:]}"
    assert (body["user_id"], body["label"], body["scopes"]) == (people.bob.pk, NEW["label"], NEW["scopes"])
    assert (body["scoped_teams"], body["scoped_organizations"]) == ([people.project.pk], [])
    assert browser.get(f"{URL}{body['id']}/").json() == body | {"value": None}
    assert api(body["value"]).get(f"{URL}@current/").status_code == 200


def test_own_keys_are_a_bare_list_newest_first(people: People, browser: Caller) -> None:
    made = browser.post(URL, NEW).json()
    listed = browser.get(URL).json()
    assert [key["id"] for key in listed] == [made["id"], people.bob.api_keys.order_by("created_at")[0].pk]
    assert {key["value"] for key in listed} == {None}


def test_a_key_sees_itself_without_any_scope(people: People, api: type[Caller]) -> None:
    caller = api(people.key(people.bob, ["webhook:read"], [people.project]))
    own = caller.get(f"{URL}@current").json()
    assert own["scopes"] == ["webhook:read"]
    assert own["last_used_at"].endswith("Z")
    assert caller.get(f"{URL}{own['id']}/").json() == own
    other = people.bob.api_keys.exclude(pk=own["id"])[0].pk
    assert envelope(caller.get(f"{URL}{other}/")) == (404, "not_found", "Not found.", None)


def test_a_session_is_no_key(browser: Caller) -> None:
    assert envelope(browser.get(f"{URL}@current/"))[0] == 404


def test_other_peoples_keys_do_not_exist(people: People, browser: Caller) -> None:
    theirs = people.alice.api_keys.get().pk
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "roll/")):
        assert envelope(browser.send(method, f"{URL}{theirs}/{path}"))[0] == 404
    assert people.alice.api_keys.exists()


def test_rolling_replaces_the_value_at_once(people: People, browser: Caller, api: type[Caller]) -> None:
    made = browser.post(URL, NEW).json()
    rolled = browser.post(f"{URL}{made['id']}/roll").json()
    assert rolled["value"] not in (None, made["value"])
    assert rolled["last_rolled_at"] is not None
    assert api(made["value"]).get(f"{URL}@current/").status_code == 401
    assert api(rolled["value"]).get(f"{URL}@current/").status_code == 200


def test_a_deleted_key_stops_at_once(browser: Caller, api: type[Caller]) -> None:
    made = browser.post(URL, NEW).json()
    assert browser.delete(f"{URL}{made['id']}").status_code == 204
    assert api(made["value"]).get(f"{URL}@current/").status_code == 401


def test_a_patch_changes_what_it_names(people: People, browser: Caller) -> None:
    made = browser.post(URL, NEW).json()
    changed = browser.patch(f"{URL}{made['id']}/", {"label": "x", "value": "phx_mine", "user_id": 1}).json()
    assert changed == made | {"label": "x", "value": None}
    changed = browser.patch(f"{URL}{made['id']}/", {"scopes": ["*"], "scoped_teams": [people.project.pk]}).json()
    assert (changed["scopes"], changed["scoped_teams"]) == (["*"], [people.project.pk])


@pytest.mark.parametrize(
    ("change", "code", "text", "attr"),
    [
        ({"label": None}, "null", "This field may not be null.", "label"),
        ({"label": " "}, "blank", "This field may not be blank.", "label"),
        ({"label": "x" * 41}, "max_length", "Ensure this field has no more than 40 characters.", "label"),
        ({"scopes": []}, "required", "This field is required.", "scopes"),
        ({"scopes": "*"}, "not_a_list", 'Expected a list of items but got type "str".', "scopes"),
        ({"scopes": ["insight:fly"]}, "invalid_input", "Invalid scope: insight:fly", "scopes"),
        ({"scopes": [None]}, "null", "This field may not be null.", "scopes__0"),
        ({"scoped_teams": ["x"]}, "invalid_input", "A valid integer is required.", "scoped_teams__0"),
        (
            {"scoped_teams": [999]},
            "invalid_input",
            "You must be a member of all teams that you are scoping the key to.",
            "scoped_teams",
        ),
        (
            {"scoped_organizations": ["0194c0de-0000-7000-8000-000000000001"]},
            "invalid_input",
            "You must be a member of all organizations that you are scoping the key to.",
            "scoped_organizations",
        ),
        ({"scoped_organizations": ["x"]}, "invalid_input", "Invalid organization UUID", "scoped_organizations"),
    ],
)
def test_mistakes_are_named(
    people: People, browser: Caller, change: dict[str, Any], code: str, text: str, attr: str
) -> None:
    before = people.bob.api_keys.values().get()
    assert envelope(browser.post(URL, NEW | change)) == (400, code, text, attr)
    assert envelope(browser.patch(f"{URL}{before['id']}/", change)) == (400, code, text, attr)
    assert people.bob.api_keys.values().get() == before


@pytest.mark.parametrize("missing", ["label", "scopes"])
def test_label_and_scopes_are_required(browser: Caller, missing: str) -> None:
    body = {name: value for name, value in NEW.items() if name != missing}
    assert envelope(browser.post(URL, body)) == (400, "required", "This field is required.", missing)


def test_the_eleventh_key_is_refused(people: People, browser: Caller) -> None:
    for _ in range(9):
        keys.create(user=people.bob, label="x", scopes=["*"])
    text = "You can only have 10 personal API keys. Remove an existing key before creating a new one."
    assert envelope(browser.post(URL, NEW)) == (400, "invalid_input", text, None)


def test_sensitive_changes_need_a_fresh_sign_in(
    people: People, browser: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = people.bob.api_keys.get().pk
    later = clock.now() + timedelta(hours=3)
    monkeypatch.setattr(sessions, "now", lambda: later)
    for method, path in (("POST", ""), ("POST", f"{own}/roll/"), ("DELETE", f"{own}/")):
        status, _, text, _ = envelope(browser.send(method, f"{URL}{path}", NEW))
        assert (status, text) == (403, "This action requires you to be recently authenticated.")
    assert browser.get(URL).status_code == 200
    assert browser.patch(f"{URL}{own}/", {"label": "y"}).status_code == 200
