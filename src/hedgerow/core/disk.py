"""Which failures are a disk's of ours: full, read-only, failing. Every library tells it in a way of its own."""

import errno
import re
import sqlite3
from typing import Final

from hedgerow.core.errors import DiskError, OutsideError

_FULL: Final = (
    "The disk of the {place} is full.",
    "Free some space on it. Scheduled runs then go on by themselves.",
)
_READ_ONLY: Final = (
    "The disk of the {place} is read-only.",
    "Look at the system's log for why it was mounted so, and mount it writable again.",
)
_REFUSED: Final = (
    "The server's user may not write to the {place}.",
    "Give the user that Hedgerow runs as the right to write there, with chown or chmod.",
)
_FAILING: Final = (
    "The disk of the {place} does not work: reading or writing it failed.",
    "Look at the system's log for faults of the disk, then run `hedgerow doctor`.",
)
_UNOPENED: Final = (
    "The file of the {place} cannot be opened or made.",
    "Check that the data folder is there and that the server's user may write to it.",
)
_BY_NUMBER: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _REFUSED,
    errno.EPERM: _REFUSED,
    errno.EIO: _FAILING,
}
_BY_SQLITE: Final = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_IOERR: _FAILING,
    sqlite3.SQLITE_CANTOPEN: _UNOPENED,
}
_RUST: Final = re.compile(r"\(os error (\d+)\)|\bOs \{ code: (\d+)")
_DUCKDB_FULL: Final = "No space left on device"


def explain(error: BaseException, place: str = "tables") -> DiskError | None:
    """The plain error behind `error` or its causes, when a disk of ours is to blame; else None.

    `place` is what lies on the disk, where the failure itself does not tell. What a source complains about
    (OutsideError) is never ours.
    """
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OutsideError):
        if isinstance(seen, DiskError):
            return seen
        kind, where = _kind(seen, place)
        if kind is not None:
            text, hint = kind
            return DiskError(text.format(place=where), hint=hint)
        seen = seen.__cause__
    return None


def _kind(error: BaseException, place: str) -> tuple[tuple[str, str] | None, str]:
    if isinstance(error, sqlite3.Error):
        return _BY_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF), "database"
    if isinstance(error, OSError) and error.errno:
        return _BY_NUMBER.get(error.errno), place
    library = type(error).__module__.partition(".")[0]
    if library in ("duckdb", "_duckdb"):
        return _FULL if _DUCKDB_FULL in str(error) else None, "temporary files"
    if library in ("_internal", "deltalake") or isinstance(error, OSError):  # delta-rs' own have no number
        told = _RUST.search(str(error))
        return _BY_NUMBER.get(int(told[1] or told[2])) if told else None, place
    return None, place
