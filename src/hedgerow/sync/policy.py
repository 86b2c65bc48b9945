"""What an error does to a run: retried, failed, or failed and switched off (§9.5). Pure; by class, never by text."""

from dataclasses import dataclass
from typing import Final

from hedgerow.core.errors import (
    AppError,
    BadDataError,
    BrokenError,
    CredentialsError,
    DiskError,
    ForbiddenError,
    InterruptedReadError,
    KeyRequiredError,
    MissingError,
    OutsideError,
    RateLimitedError,
    UnreachableError,
)
from hedgerow.core.secrets import SealError

UNEXPECTED: Final = "An unexpected error has occurred"
PERMANENT: Final = (CredentialsError, ForbiddenError, MissingError, KeyRequiredError, BadDataError)
SHOWN_WITH_HINT: Final = (OutsideError, DiskError, SealError)
TRANSIENT: Final = (InterruptedReadError, RateLimitedError, UnreachableError)
PATIENCE_SECONDS: Final = 60.0
"""All retries of one run together wait at most this long."""
UNREACHABLE_RUNS: Final = 3
"""So many runs in a row that could not reach the source switch the table off; a restart of a database must not."""
ATTEMPTS: Final = {"full_refresh": 3, "incremental": 9, "append": 9}
CRASHES: Final = 3


@dataclass(frozen=True)
class Retry:
    """Try again after `delay` seconds, within the same run."""

    delay: float


@dataclass(frozen=True)
class Fail:
    """The run has failed. `switch_off`: the table stops being scheduled until a person acts."""

    message: str
    switch_off: bool = False
    unreachable: bool = False


def decide(error: Exception, *, sync_type: str, attempt: int, waited: float, unreachable_before: int) -> Retry | Fail:
    """`attempt` counts from 1, `waited` is what the run has waited so far, `unreachable_before` the runs in a row."""
    if isinstance(error, TRANSIENT):
        delay = min(2.0 ** (attempt - 1), 15.0)
        if isinstance(error, RateLimitedError):
            delay = max(delay, error.retry_after)
        if attempt < ATTEMPTS.get(sync_type, 3) and waited + delay <= PATIENCE_SECONDS:
            return Retry(delay)
    unreachable = isinstance(error, UnreachableError)
    switch_off = isinstance(error, PERMANENT) or (unreachable and unreachable_before + 1 >= UNREACHABLE_RUNS)
    return Fail(_text(error), switch_off, unreachable)


def after_crash(crashes: int) -> Retry | Fail:
    """The run's process ended without a word (killed, out of memory): `crashes` counts this one."""
    return Retry(2.0 ** (crashes - 1)) if crashes < CRASHES else Fail(UNEXPECTED)


def _text(error: Exception) -> str:
    """What the user reads: the message and what to do. Bugs of ours say nothing of their insides."""
    if isinstance(error, BrokenError) or not isinstance(error, AppError):
        return UNEXPECTED
    if not isinstance(error, SHOWN_WITH_HINT) or not error.hint or error.hint in error.message:
        return error.message
    message = error.message.rstrip()
    return f"{message} {error.hint}" if message.endswith((".", "?")) else f"{message}. {error.hint}"
