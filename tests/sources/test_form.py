"""Settings against a form: what is checked, kept, secret and shown."""

from typing import Any

import pytest

from hedgerow.core.errors import BadRequestError
from hedgerow.sources import form
from tests.sources.forms import FORM

GOOD: dict[str, Any] = {"host": "db", "port": 5432, "password": "secret"}


def problems(**changes: Any) -> str:
    """The refusal of the good settings with changes, without its first words."""
    with pytest.raises(BadRequestError) as refused:
        form.validate(FORM, GOOD | changes)
    start = "Invalid source config: "
    assert refused.value.message.startswith(start)
    return refused.value.message.removeprefix(start)


def checked(**changes: Any) -> dict[str, Any]:
    return form.validate(FORM, GOOD | changes)


def test_missing_fields_are_named_in_the_order_of_the_form() -> None:
    with pytest.raises(BadRequestError) as refused:
        form.validate(FORM, {})
    assert refused.value.message == (
        "Invalid source config: Required field 'host' is missing, Required field 'port' is missing, "
        "Required field 'password' is missing"
    )


@pytest.mark.parametrize("value", [None, "", "   "])
def test_null_and_empty_count_as_missing(value: str | None) -> None:
    assert problems(host=value) == "Required field 'host' is missing"
    assert problems(port=value) == "Required field 'port' is missing"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"host": 5}, "Field 'host' must be a string"),
        ({"host": ["a"]}, "Field 'host' must be a string"),
        ({"password": True}, "Field 'password' must be a string"),
        ({"port": "x"}, "Field 'port' must be a number"),
        ({"port": True}, "Field 'port' must be a number"),
        ({"port": 5432.0}, "Field 'port' must be a number"),
        ({"port": "５４３２"}, "Field 'port' must be a number"),
        ({"port": {}}, "Field 'port' must be a number"),
        ({"port": 0}, "Field 'port' must be a number between 1 and 65535"),
        ({"port": "70000"}, "Field 'port' must be a number between 1 and 65535"),
        ({"port": -1}, "Field 'port' must be a number between 1 and 65535"),
        ({"page_size": "ten"}, "Field 'page_size' must be a number"),
        ({"ssh_tunnel": "yes"}, "Field 'ssh_tunnel' must be an object"),
        ({"auth": ["key"]}, "Field 'auth' must be an object"),
        ({"auth": {"selection": "magic"}}, "Field 'auth.selection' must be one of key, oauth"),
        ({"auth": {}}, "Field 'auth.selection' must be one of key, oauth"),
        ({"auth": {"selection": "key", "region": "eu"}}, "Required field 'auth.api_key' is missing"),
        ({"proxy": {"enabled": True}}, "Required field 'proxy.url' is missing"),
        ({"proxy": {"enabled": "perhaps"}}, "Field 'proxy.enabled' must be a boolean"),
        ({"using_ssl": "perhaps"}, "Field 'using_ssl' must be one of true, false"),
        ({"using_ssl": []}, "Field 'using_ssl' must be one of true, false"),
        ({"ssh_tunnel": {"enabled": True, "port": "x"}}, "Field 'ssh_tunnel.port' must be a number"),
        ({"ssh_tunnel": {"enabled": True, "auth": "key"}}, "Field 'ssh_tunnel.auth' must be an object"),
        ({"ssh_tunnel": {"enabled": 7}}, "Field 'ssh_tunnel.enabled' must be a boolean"),
        ({"host": None, "port": "x"}, "Required field 'host' is missing, Field 'port' must be a number"),
    ],
)
def test_values_of_the_wrong_type_are_named(changes: dict[str, Any], text: str) -> None:
    assert problems(**changes) == text


def test_blanks_are_removed_and_unknown_keys_dropped() -> None:
    assert checked(host="  db ", password=" secret ", colour="red") == GOOD


@pytest.mark.parametrize("port", [5432, "5432", " 5432 "])
def test_a_port_is_kept_as_a_number(port: object) -> None:
    kept = checked(port=port)["port"]
    assert kept == 5432
    assert type(kept) is int


def test_an_optional_text_may_be_empty_on_purpose() -> None:
    assert checked(schema="")["schema"] == ""
    assert "schema" not in checked(schema=None)


def test_hyphens_and_underscores_in_keys_are_the_same() -> None:
    assert checked(**{"page-size": "50"}) == checked(page_size=50) == {**GOOD, "page_size": 50}
    assert checked(**{"page-size": 1, "page_size": 2})["page_size"] == 2


@pytest.mark.parametrize(("given", "kept"), [("true", True), (True, True), ("false", False), (False, False)])
def test_a_choice_is_converted(given: object, kept: bool) -> None:
    assert checked(using_ssl=given)["using_ssl"] is kept


def test_only_the_fields_of_the_chosen_option_are_kept() -> None:
    auth = {"selection": "key", "api_key": "k", "region": "eu", "account": "a"}
    assert checked(auth=auth)["auth"] == {"selection": "key", "api_key": "k", "region": "eu"}


def test_a_group_that_is_off_asks_for_nothing() -> None:
    assert checked(proxy={"enabled": False, "url": 5})["proxy"] == {"enabled": False}
    assert checked(proxy={"enabled": "true", "url": "http://p"})["proxy"] == {"enabled": True, "url": "http://p"}


def test_a_tunnel_is_kept_in_one_spelling() -> None:
    tunnel = {
        "enabled": "true",
        "host": " bastion ",
        "port": "22",
        "auth_type": {"type": "password", "username": "u", "password": "p", "passphrase": "", "other": 1},
    }
    kept = {
        "enabled": True,
        "host": "bastion",
        "port": 22,
        "auth": {"selection": "password", "username": "u", "password": "p"},
    }
    assert checked(**{"ssh-tunnel": tunnel})["ssh_tunnel"] == kept
    assert checked(ssh_tunnel=kept)["ssh_tunnel"] == kept


def test_nothing_else_is_checked_in_a_tunnel_that_is_off() -> None:
    assert checked(ssh_tunnel={"enabled": False, "host": 5, "port": "x", "auth": []})["ssh_tunnel"] == {
        "enabled": False
    }
    assert checked(ssh_tunnel={})["ssh_tunnel"] == {"enabled": False}


WITH_SECRETS = {
    **GOOD,
    "token": "t-1",
    "auth": {"selection": "key", "api_key": "k-1", "region": "eu"},
    "proxy": {"enabled": True, "url": "http://p", "secret": "p-1"},
    "ssh_tunnel": {
        "enabled": True,
        "host": "bastion",
        "port": 22,
        "auth": {"selection": "keypair", "username": "u", "private_key": "PEM", "passphrase": "pp", "password": "old"},
    },
}


def test_what_is_shown_has_every_known_field_and_nothing_secret() -> None:
    assert form.visible(FORM, WITH_SECRETS | {"unknown": 1}) == {
        "host": "db",
        "port": 5432,
        "schema": None,
        "page_size": None,
        "using_ssl": None,
        "auth": {"selection": "key", "region": "eu"},
        "proxy": {"enabled": True, "url": "http://p"},
        "ssh_tunnel": {
            "enabled": True,
            "host": "bastion",
            "port": 22,
            "auth": {"selection": "keypair", "username": "u"},
        },
    }


def test_every_secret_is_found_wherever_it_lies() -> None:
    assert form.stored_secrets(FORM, WITH_SECRETS) == {
        ("password",): "secret",
        ("token",): "t-1",
        ("auth", "api_key"): "k-1",
        ("proxy", "secret"): "p-1",
        ("ssh_tunnel", "auth", "password"): "old",
        ("ssh_tunnel", "auth", "passphrase"): "pp",
        ("ssh_tunnel", "auth", "private_key"): "PEM",
    }


def test_settings_without_anything_optional_hold_only_the_required_secret() -> None:
    assert form.stored_secrets(FORM, GOOD) == {("password",): "secret"}
    shown = form.visible(FORM, GOOD)
    assert shown["ssh_tunnel"] is None
    assert "password" not in shown
    assert "token" not in shown
