"""Changing settings: what is merged, and when a stored secret may not be used again."""

from typing import Any

import pytest

from hedgerow.core.errors import BadRequestError
from hedgerow.sources import form
from hedgerow.sources.change import HOST_CHANGED, TUNNEL_CHANGED, TUNNEL_HOST_CHANGED, merge
from tests.sources.forms import FORM

TUNNEL: dict[str, Any] = {
    "enabled": True,
    "host": "bastion",
    "port": 22,
    "auth": {"selection": "password", "username": "u", "password": "tunnel secret"},
}
PLAIN: dict[str, Any] = {"host": "db", "port": 5432, "password": "secret", "schema": "public"}
STORED = {**PLAIN, "token": "t", "auth": {"selection": "key", "api_key": "k", "region": "eu"}}
BEHIND_A_TUNNEL = {**PLAIN, "ssh_tunnel": TUNNEL}


def merged(stored: dict[str, Any], **given: Any) -> dict[str, Any]:
    """As it would be stored."""
    return form.validate(FORM, merge(FORM, stored, given))


def refusal(stored: dict[str, Any], **given: Any) -> str:
    with pytest.raises(BadRequestError) as refused:
        merge(FORM, stored, given)
    return refused.value.message


@pytest.mark.parametrize("stored", [PLAIN, STORED, BEHIND_A_TUNNEL], ids=["plain", "nested", "tunnel"])
def test_sending_back_what_was_shown_changes_nothing(stored: dict[str, Any]) -> None:
    assert merged(stored, **form.visible(FORM, stored)) == stored


@pytest.mark.parametrize("stored", [PLAIN, STORED, BEHIND_A_TUNNEL], ids=["plain", "nested", "tunnel"])
def test_an_empty_request_changes_nothing(stored: dict[str, Any]) -> None:
    assert merged(stored) == stored


@pytest.mark.parametrize("blank", ["", None, "  "])
def test_an_empty_secret_keeps_the_stored_one(blank: str | None) -> None:
    assert merged(STORED, password=blank, token=blank) == STORED


def test_given_keys_replace_and_others_stay() -> None:
    assert merged(STORED, schema="sales") == {**STORED, "schema": "sales"}
    assert merged(STORED, password="new") == {**STORED, "password": "new"}
    assert merged(STORED, **{"page-size": 5}) == {**STORED, "page_size": 5}
    assert merged(STORED, schema=None) == {k: v for k, v in STORED.items() if k != "schema"}


def test_a_nested_choice_merges_while_its_selection_stays() -> None:
    assert merged(STORED, auth={"selection": "key", "region": "us"})["auth"] == {
        "selection": "key",
        "api_key": "k",
        "region": "us",
    }
    assert merged(STORED, auth={"region": "us", "api_key": ""})["auth"]["api_key"] == "k"


def test_another_selection_takes_no_secret_along() -> None:
    assert merged(STORED, auth={"selection": "oauth"})["auth"] == {"selection": "oauth"}
    there_and_back = merge(FORM, merged(STORED, auth={"selection": "oauth"}), {"auth": {"selection": "key"}})
    assert "api_key" not in there_and_back["auth"]


@pytest.mark.parametrize("value", ["key", 5, ["key"], None])
def test_a_nested_value_must_be_an_object(value: object) -> None:
    assert refusal(STORED, auth=value) == "Must be an object."


def test_a_switch_group_merges_key_by_key() -> None:
    stored = {**PLAIN, "proxy": {"enabled": True, "url": "http://p", "secret": "s"}}
    assert merged(stored, proxy={"enabled": False})["proxy"] == {"enabled": False, "url": "http://p", "secret": "s"}
    assert merged(stored, proxy={"url": "http://q", "secret": ""})["proxy"] == {
        "enabled": True,
        "url": "http://q",
        "secret": "s",
    }


def test_a_tunnel_merges_key_by_key() -> None:
    assert merged(BEHIND_A_TUNNEL, ssh_tunnel={}) == BEHIND_A_TUNNEL
    auth = {"type": "password", "username": "v", "password": ""}
    assert merged(BEHIND_A_TUNNEL, ssh_tunnel={"auth_type": auth})["ssh_tunnel"]["auth"] == {
        "selection": "password",
        "username": "v",
        "password": "tunnel secret",
    }


def test_another_way_to_log_in_to_the_tunnel_takes_no_secret_along() -> None:
    given = {"auth": {"selection": "keypair", "private_key": "PEM"}}
    assert merged(BEHIND_A_TUNNEL, ssh_tunnel=given)["ssh_tunnel"]["auth"] == {
        "selection": "keypair",
        "username": "u",
        "private_key": "PEM",
    }


# --- redirect protection -----------------------------------------------------------------------------------------


def test_another_host_needs_every_secret_again() -> None:
    assert refusal(STORED, host="evil") == HOST_CHANGED
    assert refusal(STORED, host="evil", password="new") == HOST_CHANGED
    assert refusal(STORED, host="evil", password="new", token=" ", auth={"api_key": "n"}) == HOST_CHANGED
    again = merged(STORED, host="other", password="new", token="new", auth={"api_key": "new"})
    assert (again["host"], again["password"], again["token"], again["auth"]["api_key"]) == ("other", *["new"] * 3)


@pytest.mark.parametrize("host", ["db", " db ", "db\n"])
def test_the_same_host_is_no_change(host: str) -> None:
    assert merged(STORED, host=host) == STORED


def test_the_tunnels_secret_counts_while_the_tunnel_is_on() -> None:
    assert refusal(BEHIND_A_TUNNEL, host="evil", password="new") == HOST_CHANGED
    assert merged(BEHIND_A_TUNNEL, host="other", password="new", ssh_tunnel={"auth": {"password": "again"}})
    off = {**PLAIN, "ssh_tunnel": {**TUNNEL, "enabled": False}}
    assert merged(off, host="other", password="new")["host"] == "other"


@pytest.mark.parametrize(
    "given",
    [{"enabled": False}, {"enabled": "false"}, {"port": 2222}, {"host": "evil", "auth": {"password": "p"}}, None],
)
def test_a_change_of_the_tunnel_needs_the_database_secret_again(given: dict[str, Any] | None) -> None:
    assert refusal(BEHIND_A_TUNNEL, ssh_tunnel=given) == TUNNEL_CHANGED
    assert merged(BEHIND_A_TUNNEL, ssh_tunnel=given, password="again")["password"] == "again"


def test_switching_a_tunnel_on_needs_the_database_secret_again() -> None:
    assert refusal(PLAIN, ssh_tunnel=TUNNEL) == TUNNEL_CHANGED
    assert merged(PLAIN, ssh_tunnel=TUNNEL, password="again")["ssh_tunnel"] == TUNNEL


@pytest.mark.parametrize("given", [{"enabled": True}, {"port": "22"}, {"host": " bastion ", "port": 22}])
def test_the_same_tunnel_is_no_change(given: dict[str, Any]) -> None:
    assert merged(BEHIND_A_TUNNEL, ssh_tunnel=given) == BEHIND_A_TUNNEL


@pytest.mark.parametrize(
    "given",
    [
        {"host": "evil"},
        {"host": "evil", "auth": {"username": "u"}},
        {"host": "evil", "auth": {"selection": "password", "username": "u", "password": ""}},
        {"host": "evil", "auth": None},
    ],
)
def test_another_tunnel_host_never_gets_the_stored_login(given: dict[str, Any]) -> None:
    assert refusal(BEHIND_A_TUNNEL, password="again", ssh_tunnel=given) == TUNNEL_HOST_CHANGED


def test_a_stored_login_cannot_be_moved_while_the_tunnel_is_off() -> None:
    off = {**PLAIN, "ssh_tunnel": {**TUNNEL, "enabled": False}}
    assert refusal(off, password="again", ssh_tunnel={"host": "evil"}) == TUNNEL_HOST_CHANGED


def test_another_tunnel_host_with_its_own_login_is_fine() -> None:
    given = {"host": "other", "auth": {"password": "new"}}
    tunnel = merged(BEHIND_A_TUNNEL, password="again", ssh_tunnel=given)["ssh_tunnel"]
    assert (tunnel["host"], tunnel["auth"]["password"]) == ("other", "new")
