"""Signing in, the CSRF token, signing out."""

from typing import Any

import pytest

from hedgerow.accounts import services
from hedgerow.accounts.models import User
from tests.api.conftest import Caller, envelope


@pytest.fixture
def ada(db: None) -> User:
    user = services.create_user("ada@example.com", "correct horse")
    services.create_project("Shop", user)
    return user


@pytest.fixture
def browser(ada: User, api: type[Caller]) -> Caller:
    """Ada's, signed in, with the CSRF token ready."""
    caller = api(enforce_csrf_checks=True)
    answer = caller.post("/api/login/", {"email": "ada@example.com", "password": "correct horse"})
    assert answer.status_code == 200, answer.content
    caller.headers["X-CSRFToken"] = caller.client.cookies["csrftoken"].value
    return caller


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(ada: User, api: type[Caller]) -> None:
    caller = api()
    answer = caller.post("/api/login", {"email": "Ada@Example.com", "password": "correct horse"})
    assert answer.json()["email"] == "ada@example.com"
    cookie = caller.client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert caller.client.cookies["csrftoken"]["samesite"] == "Lax"


@pytest.mark.parametrize(
    "body",
    [
        {"email": "ada@example.com", "password": "wrong"},
        {"email": "nobody@example.com", "password": "correct horse"},
    ],
)
def test_a_wrong_password_and_an_unknown_person_look_the_same(
    ada: User, api: type[Caller], body: dict[str, str]
) -> None:
    caller = api()
    assert envelope(caller.post("/api/login/", body)) == (
        401,
        "authentication_failed",
        "Invalid email or password.",
        None,
    )
    assert "sessionid" not in caller.client.cookies


@pytest.mark.parametrize(("body", "attr"), [({}, "email"), ({"email": "a@b"}, "password")])
def test_both_are_required(api: type[Caller], body: dict[str, str], attr: str) -> None:
    assert envelope(api().post("/api/login/", body)) == (400, "required", "This field is required.", attr)


def test_another_sites_form_cannot_sign_anybody_in(ada: User, api: type[Caller]) -> None:
    body = {"email": "ada@example.com", "password": "correct horse"}
    evil = api().post("/api/login/", body, headers={"Origin": "https://evil.example.com"})
    assert envelope(evil)[0] == 403
    own = api().post("/api/login/", body, headers={"Origin": "http://testserver"})
    assert own.status_code == 200


def test_a_session_may_use_the_api(browser: Caller) -> None:
    assert browser.get("/api/projects/@current/").json()["name"] == "Shop"
    assert browser.get("/api/users/").json()["results"][0]["email"] == "ada@example.com"


def test_changes_need_the_csrf_token(browser: Caller) -> None:
    assert browser.patch("/api/projects/@current/", {"name": "New"}).status_code == 200
    del browser.headers["X-CSRFToken"]
    status, code, text, _ = envelope(browser.patch("/api/projects/@current/", {"name": "Newer"}))
    assert (status, code) == (403, "permission_denied")
    assert text.startswith("CSRF Failed")
    assert browser.get("/api/projects/@current/").json()["name"] == "New"


def test_a_key_needs_no_csrf_token_and_wins_over_the_session(ada: User, browser: Caller) -> None:
    del browser.headers["X-CSRFToken"]
    _, value = services.create_key(ada, "k", ["*"])
    header = {"Authorization": f"Bearer {value}"}
    assert browser.patch("/api/projects/@current/", {"name": "New"}, headers=header).status_code == 200
    assert envelope(browser.get("/api/projects/@current/", headers={"Authorization": "Bearer phx_bad"}))[0] == 401


def test_signing_out_ends_the_session(browser: Caller) -> None:
    cookie = browser.client.cookies["sessionid"].value
    assert browser.post("/api/logout/").status_code == 204
    browser.client.cookies["sessionid"] = cookie
    assert envelope(browser.get("/api/projects/@current/"))[0] == 401


@pytest.mark.parametrize("cookie", ["x" * 32, "", "x" * 4000, "\x00" * 32, "é" * 32])
def test_a_made_up_session_is_nobody(api: type[Caller], db: None, cookie: str) -> None:
    caller = api()
    caller.client.cookies["sessionid"] = cookie
    answer: Any = caller.get("/api/projects/")
    assert envelope(answer)[1] == "not_authenticated"
