"""Every error a person can see, sorted by what happens next.

    AppError
    ├─ BadRequestError      the caller must change the request             400
    ├─ DeniedError          the caller may not                             403
    ├─ NotFoundError        absent, or another project's                   404
    ├─ ConflictError        state in the way                               409
    ├─ OutsideError         the other system: fails a run, never the server
    │  ├─ CredentialsError · ForbiddenError · MissingError · KeyRequiredError
    │  │                                   a person must act: the table is switched off
    │  ├─ RateLimitedError · UnreachableError · InterruptedReadError
    │  │                                   time will tell: tried again
    │  ├─ BadDataError                     a named column or row: the run fails
    │  └─ SourceQueryError                 the source's own complaint: the run fails
    └─ BrokenError          a bug or a full disk of ours                   500
    Cancelled               not an error: stop cleanly

`sync.policy` decides by class what a run does next; `api.errors` maps classes to answers. Neither reads texts.
"""

from typing import Any


class AppError(Exception):
    """Base of all. `message` says what happened and why, `hint` what to do; both are for the user.

    `field` names the input the error is about (parts joined with `__`), `code` is the contract's word for it.
    """

    code = "error"
    hint = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        field: str | None = None,
        code: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.hint
        self.field = field
        self.code = code or self.code
        self.extra = extra


class BadRequestError(AppError):
    """The caller must change the request."""

    code = "invalid_input"
    hint = "Correct the field named and send the request again."


class DeniedError(AppError):
    """The caller may not do this."""

    code = "permission_denied"
    hint = "Ask an admin of the project for the level named, or use a key with the scope named."


class NotFoundError(AppError):
    """There is no such object in this project."""

    code = "not_found"
    hint = "Check the id; objects of other projects are not visible."

    def __init__(self, message: str = "Not found.", **facts: Any) -> None:
        super().__init__(message, **facts)


class ConflictError(AppError):
    """The state of things is in the way."""

    code = "conflict"
    hint = "Look at the current state and try again."


class OutsideError(AppError):
    """The other system failed us. Fails a run, never the server."""

    code = "outside"
    hint = "Look at the source system."


class CredentialsError(OutsideError):
    """The source refused the login."""

    code = "credentials"
    hint = "Enter the credentials again in the source's settings, then enable the table."


class ForbiddenError(OutsideError):
    """The login is good but may not read this table."""

    code = "forbidden"
    hint = "Grant the user SELECT on the table, then enable it again."


class MissingError(OutsideError):
    """The table or column is gone from the source."""

    code = "missing"
    hint = "Bring the table or column back, or delete the table here."


class KeyRequiredError(OutsideError):
    """The table has no key, or one that is not unique, and the sync type needs one."""

    code = "key_required"
    hint = "Choose primary key columns whose values are unique, or sync with full_refresh or append."


class RateLimitedError(OutsideError):
    """The source asks us to slow down. `retry_after` in seconds."""

    code = "rate_limited"
    hint = "Nothing to do: Hedgerow waits and tries again."

    def __init__(self, message: str, *, retry_after: float = 1.0, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class UnreachableError(OutsideError):
    """The source cannot be reached: refused, unresolvable, no route. Three such runs in a row switch the table off."""

    code = "unreachable"
    hint = "Check that the host and port are right and that the source is up."


class InterruptedReadError(OutsideError):
    """The source broke off in the middle: connection lost, deadlock, serialization conflict, time-out."""

    code = "interrupted"
    hint = "Nothing to do: Hedgerow tries again."


class BadDataError(OutsideError):
    """A value or a column that cannot be stored as it is."""

    code = "bad_data"
    hint = "Change the data or the column's type in the source, then resync the table."


class SourceQueryError(OutsideError):
    """The source answered our query with an error of its own."""

    code = "source_query"
    hint = "Correct what the source complains about; the next scheduled run tries again."


class DiskError(AppError):
    """A disk of ours is full, read-only or failing. Nothing is lost: what could not be written was not done."""

    code = "disk"
    hint = "Free space on the disk or make it writable; `hedgerow doctor` says which."


class BrokenError(AppError):
    """A bug of ours."""

    code = "broken"
    hint = "Look at the server's log, and please report it."


class Cancelled(Exception):  # noqa: N818 - not an error
    """Not an error: a person asked to stop. End cleanly and keep the cursor."""
