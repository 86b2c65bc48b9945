"""A copy of a table in a folder, as it was at one version, while others go on writing to it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hedgerow.core.errors import BrokenError, ConflictError
from hedgerow.lake import log
from hedgerow.lake.replay import ENTRY_NAME
from hedgerow.lake.storage import Storage

_LOG: Final = "_delta_log"


@dataclass(frozen=True)
class Pinned:
    """A table's newest version and the data files it is made of."""

    location: str
    version: int
    files: tuple[str, ...]


def pin(storage: Storage, location: str) -> Pinned | None:
    """The table as it is now; None when there is none."""
    table = log.open_table(storage, location)
    if table is None:
        return None
    active = log.files_of(storage, location, table)
    return Pinned(location, table.version(), tuple(sorted(name for file in active for name in file.names)))


def copy(pinned: Pinned, source: Storage, target: Storage) -> None:
    """Make the pinned table under the same location of `target`; both are folders.

    Files are linked where the file system can: they never change. Raises ConflictError when the table lost files
    since it was pinned: pin it again, or leave it out when it is gone.
    """
    origin, copied = Path(source.uri(pinned.location)), Path(target.uri(pinned.location))
    try:
        for name in (*_log_entries(origin / _LOG, pinned.version), *pinned.files):
            (copied / name).parent.mkdir(parents=True, exist_ok=True)
            _link(origin / name, copied / name)
    except FileNotFoundError as error:
        raise ConflictError(f"The table {pinned.location} lost files while it was copied.") from error
    if not _holds(target, pinned):
        raise ConflictError(f"The log of the table {pinned.location} was shortened while it was copied.")


def _holds(storage: Storage, pinned: Pinned) -> bool:
    try:
        return pin(storage, pinned.location) == pinned
    except BrokenError:
        return False


def _log_entries(folder: Path, version: int) -> list[str]:
    """Everything up to the version. `_last_checkpoint` is left out: it may point beyond, and readers do without."""
    matches = (ENTRY_NAME.fullmatch(entry.name) for entry in folder.iterdir())
    return [f"{_LOG}/{match[0]}" for match in matches if match and int(match[1]) <= version]


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)
