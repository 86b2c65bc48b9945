"""Keys: shown once, stored as a hash, at most ten."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from hedgerow.accounts import keys, services
from hedgerow.accounts.models import PersonalAPIKey, User
from hedgerow.core import clock
from hedgerow.core.errors import BadRequestError
from tests.support.people import People


@pytest.fixture
def user(db: None) -> User:
    return services.create_user("keys@example.com", None)


def test_a_key_is_found_by_its_value_which_is_nowhere_stored(user: User) -> None:
    key, value = keys.create(user=user, label="one", scopes=["*"])
    assert re.fullmatch(r"phx_[0-9A-Za-z]{40,}", value)
    assert keys.find(value) == key
    row = PersonalAPIKey.objects.values().get()
    assert value not in str(row)
    assert re.fullmatch(r"sha256\$[0-9a-f]{64}", row["secure_value"])
    assert row["mask_value"] == f"phx_...{value[-4:]}"


@pytest.mark.parametrize("value", ["phx_nope", "", "ключ", "\ud800", "x" * 10_000])
def test_any_other_value_finds_nothing(user: User, value: str) -> None:
    assert keys.find(value) is None


def test_a_deactivated_owners_key_is_not_found(user: User) -> None:
    _, value = keys.create(user=user, label="one", scopes=["*"])
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert keys.find(value) is None


def test_rolling_gives_a_new_value_and_ends_the_old(user: User) -> None:
    key, old = keys.create(user=user, label="one", scopes=["*"])
    new = keys.roll(key)
    assert keys.find(old) is None
    assert keys.find(new) == key
    assert key.last_rolled_at is not None


def test_use_is_noted_at_most_once_an_hour(
    user: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    key, _ = keys.create(user=user, label="one", scopes=["*"])
    start = clock.now()
    moments = [(0, 1), (59, 0), (60, 1), (61, 0)]

    def at(minutes: int) -> datetime:
        return start + timedelta(minutes=minutes)

    for minutes, statements in moments:
        monkeypatch.setattr(keys, "now", lambda minutes=minutes: at(minutes))
        with django_assert_num_queries(statements):
            keys.used(key)
    key.refresh_from_db()
    assert key.last_used_at == at(60)


def test_the_eleventh_key_is_refused(user: User) -> None:
    for _ in range(10):
        keys.create(user=user, label="one", scopes=["*"])
    with pytest.raises(BadRequestError) as caught:
        keys.create(user=user, label="one", scopes=["*"])
    assert caught.value.message == (
        "You can only have 10 personal API keys. Remove an existing key before creating a new one."
    )
    assert caught.value.field is None


def test_limits_name_only_what_the_owner_belongs_to(people: People) -> None:
    team, other = people.project.pk, people.elsewhere.pk
    mine, theirs = str(people.organization.pk), str(people.elsewhere.organization_id)
    cases: list[tuple[dict[str, Any], str, str]] = [
        (
            {"teams": [team, other]},
            "scoped_teams",
            "You must be a member of all teams that you are scoping the key to.",
        ),
        ({"teams": [10**30]}, "scoped_teams", "You must be a member of all teams that you are scoping the key to."),
        (
            {"organizations": [theirs]},
            "scoped_organizations",
            "You must be a member of all organizations that you are scoping the key to.",
        ),
        ({"organizations": ["nope"]}, "scoped_organizations", "Invalid organization UUID"),
    ]
    for limits, field, text in cases:
        with pytest.raises(BadRequestError) as caught:
            keys.create(user=people.bob, label="x", scopes=["*"], **limits)
        assert (caught.value.field, caught.value.message) == (field, text)
    key, _ = keys.create(user=people.bob, label="x", scopes=["*"], teams=[team, team], organizations=[mine.upper()])
    assert (key.scoped_teams, key.scoped_organizations) == ([team], [mine])


def test_a_change_touches_only_what_it_names(people: People) -> None:
    key, value = keys.create(user=people.bob, label="x", scopes=["*"], teams=[people.project.pk])
    keys.change(key, {"label": "y"})
    key.refresh_from_db()
    assert (key.label, key.scopes, key.scoped_teams) == ("y", ["*"], [people.project.pk])
    with pytest.raises(BadRequestError):
        keys.change(key, {"scopes": ["insight:fly"], "label": "z"})
    key.refresh_from_db()
    assert key.label == "y"
    assert keys.find(value) == key
