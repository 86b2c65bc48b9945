"""What is wrong with tables on the disk, found without changing anything."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyarrow.fs import FileInfo, FileSelector

from hedgerow.core import disk
from hedgerow.core.errors import AppError
from hedgerow.lake import log
from hedgerow.lake.replay import replay
from hedgerow.lake.storage import Storage, storage_errors

_LOG = "_delta_log"


@dataclass(frozen=True)
class Found:
    """One table as it lies there. `exists` False: there is none. `unreadable`: why it cannot be opened, or "".

    `missing`: files of the newest version that are not there. `orphans`: bytes of files that no kept version names,
    by name. `ahead`: seconds by which its newest file is younger than the clock says that it is now.
    """

    location: str
    exists: bool = True
    unreadable: str = ""
    fence: int = 0
    version: int = -1
    missing: list[str] = field(default_factory=list)
    orphans: dict[str, int] = field(default_factory=dict)
    ahead: float = 0.0


def inspect(storage: Storage, location: str) -> Found:
    """Look at one table: open it, and compare what it names with what is there."""
    try:
        table = log.open_table(storage, location)
        if table is None:
            return Found(location, exists=False)
        known = replay(storage, location, table.version())
        with storage_errors():
            present = _files(storage, storage.path(location))
            entries = _files(storage, f"{storage.path(location)}/{_LOG}")
    except AppError as error:
        fault = disk.explain(error)
        return Found(location, unreadable=fault.message if fault else error.message)
    active = {name for file in known.active.values() for name in file.names}
    named = active | {name for _, file in known.dropped for name in file.names}
    newest = max((info.mtime_ns for info in [*present.values(), *entries.values()]), default=0)
    return Found(
        location,
        fence=log.fence_of(table),
        version=table.version(),
        missing=sorted(active - set(present)),
        orphans={name: info.size or 0 for name, info in present.items() if name not in named},
        ahead=newest / 1e9 - time.time(),
    )


def locations(storage: Storage) -> Iterator[str]:
    """Every table that lies in the storage, known to the database or not."""
    with storage_errors():
        filesystem = storage.filesystem()
        for project in filesystem.get_file_info(FileSelector(storage.root, allow_not_found=True)):
            if project.is_file or project.base_name.startswith("."):
                continue
            for table in filesystem.get_file_info(FileSelector(project.path, allow_not_found=True)):
                if not table.is_file:
                    yield f"{project.base_name}/{table.base_name}"


def _files(storage: Storage, folder: str) -> dict[str, FileInfo]:
    found = storage.filesystem().get_file_info(FileSelector(folder, allow_not_found=True))
    return {info.base_name: info for info in found if info.is_file}
