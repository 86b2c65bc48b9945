"""The versions of a table that can be read, and which of them a query means.

A version can be read while the log reaches it and every file of it lies in the folder. `maintain.tidy` ends that, some
time after a newer version has come; so what is listed here may be gone when it is opened.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pyarrow.fs import FileSelector, FileSystem

from hedgerow.core.clock import now
from hedgerow.core.errors import BadRequestError, BrokenError, ConflictError
from hedgerow.lake.answer import Version
from hedgerow.lake.replay import CHECKPOINT, ENTRY, Replay, actions, numbers, replay
from hedgerow.lake.storage import Storage, storage_errors

_READERS: Final = 8  # an object storage takes its time for each entry of the log
_TRIES: Final = 3


def readable(storage: Storage, location: str) -> list[Version]:
    """Every version that can be read, newest first; empty when there is no table."""
    return [version for version, is_whole in _history(storage, location) if is_whole]


def pick(storage: Storage, location: str, name: str, at: int | datetime) -> Version:
    """The version with this number, or the newest of this moment. `name` is the table's, for the error.

    Raises BadRequestError, telling what can be read, when there is no such version or none any more.
    """
    history = _history(storage, location)
    what = f"Version {at}" if isinstance(at, int) else f"The version of {_text(at)}"
    if isinstance(at, int):
        found = next((entry for entry in history if entry[0].number == at), None)
        is_to_come = bool(history) and at > history[0][0].number
    else:
        found = next((entry for entry in history if _moment(entry[0].created_ms) <= at), None)
        is_to_come = at > now()
    if is_to_come:
        why = "is still to come"
    elif found is None and not isinstance(at, int) and history and history[-1][0].number == 0:
        why = "does not exist: the table was made later"
    elif found is None or not found[1]:
        why = "can no longer be read: what it was made of has been deleted"
    else:
        return found[0]
    raise BadRequestError(f"{what} of the table `{name}` {why}. {_told([v for v, is_whole in history if is_whole])}")


def _told(versions: list[Version]) -> str:
    """What can be read instead."""
    if not versions:
        return "None of its versions can be read."
    newest, oldest = (f"{v.number} (of {_text(_moment(v.created_ms))})" for v in (versions[0], versions[-1]))
    return f"The newest that can be read is {newest}, the oldest {oldest}."


def _history(storage: Storage, location: str) -> list[tuple[Version, bool]]:
    """The versions that the log reaches, newest first, each with whether all of its files are there."""
    for _ in range(_TRIES - 1):
        try:
            return _read(storage, location)
        except (FileNotFoundError, ConflictError, BrokenError):
            continue  # the log was shortened while it was read, or is broken indeed
    with storage_errors():
        return _read(storage, location)


def _read(storage: Storage, location: str) -> list[tuple[Version, bool]]:
    filesystem, folder = storage.filesystem(), f"{storage.path(location)}/_delta_log"
    entries = _Entries.of(_names(filesystem, folder))
    if entries is None:
        return []
    before = Replay() if entries.base is None else replay(storage, location, entries.base)
    with ThreadPoolExecutor(_READERS) as readers:
        commits = list(readers.map(lambda number: actions(filesystem, folder, number), entries.numbers))
    # Looked at last: a file that is dropped meanwhile makes its versions unreadable, not wrong.
    present = frozenset(_names(filesystem, storage.path(location)))
    found = list(_fold(before, dict(zip(entries.numbers, commits, strict=True)), present))
    return found[::-1]


@dataclass(frozen=True)
class _Entries:
    """The log entries that lead to the newest version: `numbers`, upwards from the checkpoint `base` (None: from 0)."""

    numbers: list[int]
    base: int | None

    @classmethod
    def of(cls, names: list[str]) -> "_Entries | None":
        """None when there is no log."""
        present = set(numbers(names, ENTRY))
        if not present:
            return None
        last = first = max(present)
        while first - 1 in present:
            first -= 1
        if first == 0:
            return cls(list(range(last + 1)), None)
        base = min((n for n in numbers(names, CHECKPOINT) if first - 1 <= n <= last), default=None)
        return None if base is None else cls(list(range(max(base, first), last + 1)), base)


def _fold(
    files: Replay, commits: dict[int, list[dict[str, Any]]], present: frozenset[str]
) -> Iterator[tuple[Version, bool]]:
    """Version after version, from the `files` before. To apply a checkpoint's own commit to it changes nothing."""
    times = {number: _info(commit).get("timestamp", 0) for number, commit in commits.items()}
    for number, commit in commits.items():
        files.apply(commit)
        active = files.active.values()
        version = Version(
            number=number,
            created_ms=times[number],
            replaced_ms=times.get(number + 1),
            run=_info(commit).get("hedgerow.run") if any("txn" in action for action in commit) else None,
            row_count=sum(file.rows - file.deleted for file in active),
            size_bytes=sum(file.size for file in active),
        )
        yield version, all(name in present for file in active for name in file.names)


def _info(commit: list[dict[str, Any]]) -> dict[str, Any]:
    return next((action["commitInfo"] for action in commit if "commitInfo" in action), {})


def _names(filesystem: FileSystem, folder: str) -> list[str]:
    return [info.base_name for info in filesystem.get_file_info(FileSelector(folder, allow_not_found=True))]


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
