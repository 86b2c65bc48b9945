"""Signing in with a password, and the session that follows (api_conventions.md §2.4)."""

from datetime import timedelta
from typing import Final

from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import constant_time_compare

from hedgerow.accounts.models import User
from hedgerow.core.clock import now
from hedgerow.core.errors import DeniedError

RECENT: Final = timedelta(hours=2)
_USER, _PROOF, _AT = "user", "proof", "signed_in_at"


def check_password(email: str, password: str) -> User | None:
    """The active user with this e-mail and password. Takes as long for an unknown e-mail as for a wrong password."""
    user = User.objects.filter(email=email.strip().lower(), is_active=True).first()
    if user is None or not user.has_usable_password():
        make_password(password)
        return None
    return user if user.check_password(password) else None


def sign_in(session: SessionBase, user: User) -> None:
    """Makes the session the user's, under a new session id."""
    session.flush()
    session[_USER] = user.pk
    session[_PROOF] = user.get_session_auth_hash()
    session[_AT] = now().timestamp()
    User.objects.filter(pk=user.pk).update(last_login=now())


def sign_out(session: SessionBase) -> None:
    """Ends the session."""
    session.flush()


def signed_in(session: SessionBase) -> User | None:
    """Whose session it is; nobody's once the user is deactivated or has another password."""
    if _USER not in session:
        return None
    user = User.objects.filter(pk=session[_USER], is_active=True).first()
    if user is None or not constant_time_compare(str(session.get(_PROOF, "")), user.get_session_auth_hash()):
        return None
    return user


def require_recent(session: SessionBase) -> None:
    """Raises DeniedError when the password was given more than two hours ago, or in the future of a clock set back."""
    if not 0 <= now().timestamp() - float(session.get(_AT, 0)) <= RECENT.total_seconds():
        raise DeniedError("This action requires you to be recently authenticated.")
