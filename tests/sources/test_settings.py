"""Settings at rest, and every form in which a secret could come back in a text."""

import pytest

from hedgerow.core.secrets import scrub
from hedgerow.sources import settings
from hedgerow.sources.models import Source
from tests.support.fake_connector import NAME, SPEC, FakeConnector, settings_of


def a_source(**values: object) -> Source:
    """A source of the fake, not stored."""
    return Source(**{"source_type": NAME, "sealed_settings": settings.seal(settings_of()), **values})


def test_settings_are_sealed_and_opened_again() -> None:
    source = a_source()
    assert "horse" not in source.sealed_settings
    assert settings.opened(source) == settings_of()
    assert settings.opened(Source()) == {}


def test_what_is_shown_holds_no_secret(fake: FakeConnector) -> None:
    assert settings.public(a_source()) == {
        "host": "db",
        "port": 3306,
        "database": "shop",
        "user": "reader",
        "schema": None,
        "ssh_tunnel": None,
    }


def test_nothing_is_shown_of_a_type_that_is_gone(fake: FakeConnector) -> None:
    source = a_source(source_type="Removed")
    assert settings.public(source) == {}
    assert settings.secrets_of(source) == []


def test_nothing_is_shown_when_the_seal_does_not_open(fake: FakeConnector) -> None:
    source = a_source(sealed_settings="made with another key")
    assert settings.public(source) == {}
    assert settings.secrets_of(source) == []


@pytest.mark.parametrize("password", ["correct horse", "p@ss/w:rd?", "it's \\ odd", "größe%20"])
@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:{quoted}@db/x",
        "postgresql://u:{all_quoted}@db/x",
        "?password={plus}",
        "password='{escaped}'",
        "password is {plain}",
    ],
)
def test_no_form_of_a_secret_survives_in_a_text(password: str, text: str) -> None:
    from urllib.parse import quote, quote_plus

    forms = {
        "plain": password,
        "quoted": quote(password),
        "all_quoted": quote(password, safe=""),
        "plus": quote_plus(password),
        "escaped": password.replace("\\", "\\\\").replace("'", "\\'"),
    }
    values = settings.secret_values(SPEC, settings_of(password=password))
    assert scrub(text.format(**forms), values) == text.format(**dict.fromkeys(forms, "***"))
