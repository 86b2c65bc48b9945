"""Sessions: a new id at sign-in, over with the password or the person."""

from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore

from hedgerow.accounts import services, sessions
from hedgerow.accounts.models import User
from hedgerow.core.clock import now
from hedgerow.core.errors import DeniedError


@pytest.fixture
def user(db: None, settings: object) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
    return services.create_user("ada@example.com", "correct horse")


@pytest.fixture
def session(user: User) -> SessionStore:
    """Ada's."""
    store = SessionStore()
    store["left over"] = True
    store.create()
    sessions.sign_in(store, user)
    return store


@pytest.mark.parametrize(
    ("email", "password", "right"),
    [
        ("ada@example.com", "correct horse", True),
        (" ADA@example.com", "correct horse", True),
        ("ada@example.com", "correct horse ", False),
        ("ada@example.com", "", False),
        ("nobody@example.com", "correct horse", False),
        ("service@example.com", "", False),
    ],
)
def test_only_the_right_password_is_right(user: User, email: str, password: str, right: bool) -> None:
    services.create_user("service@example.com", None)
    assert sessions.check_password(email, password) == (user if right else None)


def test_signing_in_begins_a_new_session(user: User, session: SessionStore) -> None:
    assert "left over" not in session
    assert sessions.signed_in(session) == user
    user.refresh_from_db()
    assert user.last_login is not None


def test_a_new_password_ends_all_sessions(user: User, session: SessionStore) -> None:
    user.set_password("another")
    user.save()
    assert sessions.signed_in(session) is None


def test_a_deactivated_person_has_no_session(user: User, session: SessionStore) -> None:
    User.objects.update(is_active=False)
    assert sessions.signed_in(session) is None
    assert sessions.check_password("ada@example.com", "correct horse") is None


def test_signing_out_ends_it(session: SessionStore) -> None:
    sessions.sign_out(session)
    assert sessions.signed_in(session) is None


def test_two_hours_later_it_is_not_recent(session: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    start = now()
    monkeypatch.setattr(sessions, "now", lambda: start + timedelta(hours=1, minutes=59))
    sessions.require_recent(session)
    monkeypatch.setattr(sessions, "now", lambda: start + timedelta(hours=2, minutes=1))
    with pytest.raises(DeniedError, match="to be recently authenticated"):
        sessions.require_recent(session)


def test_a_clock_set_back_makes_no_session_recent_again(session: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before = now() - timedelta(hours=5)
    monkeypatch.setattr(sessions, "now", lambda: before)
    with pytest.raises(DeniedError, match="to be recently authenticated"):
        sessions.require_recent(session)
