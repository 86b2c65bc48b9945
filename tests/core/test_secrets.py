"""Credentials are unreadable at rest, and known secrets are taken out of texts."""

import pytest

from hedgerow.core.secrets import Sealer, SealError, scrub


def test_what_was_sealed_opens_again_and_shows_nothing_while_sealed() -> None:
    sealer = Sealer("a key")
    settings = {"host": "db", "password": "correct horse", "port": 5432}

    sealed = sealer.seal(settings)

    assert Sealer("a key").open(sealed) == settings
    assert "horse" not in sealed
    assert "db" not in sealed


def test_nothing_opens_as_nothing() -> None:
    assert Sealer("a key").open("") == {}


def test_another_key_cannot_open_it() -> None:
    with pytest.raises(SealError, match="another HEDGEROW_SECRET_KEY"):
        Sealer("another key").open(Sealer("a key").seal({"a": 1}))


def test_a_changed_text_does_not_open() -> None:
    sealed = Sealer("a key").seal({"a": 1})

    with pytest.raises(SealError):
        Sealer("a key").open(sealed[:-6] + "AAAAA=")


def test_secrets_are_scrubbed_longest_first() -> None:
    assert scrub("login hunter2000 with hunter2", ["hunter2", "hunter2000"]) == "login *** with ***"


def test_very_short_secrets_do_not_eat_the_text() -> None:
    assert scrub("a table", ["a", "", "tab"]) == "a ***le"
