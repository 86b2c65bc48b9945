"""A copy of one table in a folder, as it was at one version, while others go on writing to it."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from hedgerow.core.errors import ConflictError

LOG: Final = "_delta_log"
_LOG_ENTRY: Final = re.compile(r"(\d{20})\.(json|crc|checkpoint.*\.parquet)")


@dataclass(frozen=True)
class Pinned:
    """A table's newest version and the data files it is made of, relative to the table's folder."""

    folder: Path
    version: int
    files: tuple[str, ...]


def pin(folder: Path) -> Pinned | None:
    """The table as it is now; None when there is no table in `folder`."""
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(str(folder)):
        return None
    table = DeltaTable(str(folder))
    return Pinned(folder, table.version(), tuple(_relative_files(table)))


def copy(pinned: Pinned, target: Path) -> None:
    """Make the folder `target` the pinned table, linking files where the file system can (they never change).

    Raises ConflictError when the table lost files since it was pinned: pin it again, or leave it out when it is gone.
    """
    log = pinned.folder / LOG
    try:
        (target / LOG).mkdir(parents=True)
        for entry in sorted(log.iterdir()):
            match = _LOG_ENTRY.fullmatch(entry.name)
            if match and int(match[1]) <= pinned.version:
                _link(entry, target / LOG / entry.name)
        for name in pinned.files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            _link(pinned.folder / name, target / name)
    except FileNotFoundError as error:
        raise ConflictError(f"The table in {pinned.folder} changed while it was copied.") from error
    if pin(target) != Pinned(target, pinned.version, pinned.files):
        raise ConflictError(f"The log of the table in {pinned.folder} was shortened while it was copied.")


def _relative_files(table: Any) -> list[str]:
    """Paths in the log are URL-encoded; on disk they are not."""
    actions = table.get_add_actions(flatten=True)
    return sorted(unquote(path) for path in actions.column("path").to_pylist())


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)
