"""What the log of a table says of its files at one version, deletion vectors included.

delta-rs reads logs too but does not tell a file's vector apart from its rows, and a commit that replaces a vector must
name the old one. Only Hedgerow writes these tables, so only the forms that it writes are read: JSON entries, and
checkpoints of one file.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq

from hedgerow.core.errors import BrokenError
from hedgerow.lake import vectors
from hedgerow.lake.storage import Storage, storage_errors

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

ENTRY_NAME: Final = re.compile(r"(\d{20})\.(json|crc|checkpoint.*\.parquet)")
"""What lies in the folder of a log: the version, and the kind of file."""
ENTRY, CHECKPOINT = "json", "checkpoint.parquet"


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a table: path relative to it, bytes, rows in it, `stats` as in the log.

    `vector` is the descriptor of its deletion vector: the rows that do not count any more.
    """

    path: str
    size: int
    stats: dict[str, Any] = field(default_factory=dict)
    vector: dict[str, Any] | None = None

    @property
    def rows(self) -> int:
        """Rows in the file, deleted ones too."""
        return int(self.stats.get("numRecords", 0))

    @property
    def deleted(self) -> int:
        """Rows that do not count any more."""
        return int(self.vector["cardinality"]) if self.vector else 0

    @property
    def names(self) -> list[str]:
        """What lies in the table's folder for it."""
        return [self.path, *([vectors.file_of(self.vector)] if self.vector else [])]


@dataclass
class Replay:
    """The files of one version in order of their arrival, and when each dropped one was dropped (ms since 1970)."""

    active: dict[str, DataFile] = field(default_factory=dict)
    dropped: list[tuple[int, DataFile]] = field(default_factory=list)

    def apply(self, actions: list[dict[str, Any]]) -> None:
        """One commit: what it removes is gone before what it adds is there."""
        for action in actions:
            if remove := action.get("remove"):
                self.active.pop(remove["path"], None)
                self.dropped.append((remove.get("deletionTimestamp") or 0, _data_file(remove)))
        for action in actions:
            if add := action.get("add"):
                self.active[add["path"]] = _data_file(add)


def replay(storage: Storage, location: str, version: int) -> Replay:
    """The files at `version`. Raises BrokenError when the log does not reach it in a form that is understood."""
    folder = f"{storage.path(location)}/_delta_log"
    with storage_errors():
        filesystem = storage.filesystem()
        names = [info.base_name for info in filesystem.get_file_info(_selector(folder))]
        start = max((n for n in numbers(names, CHECKPOINT) if n <= version), default=-1)
        entries = sorted(n for n in numbers(names, ENTRY) if start < n <= version)
        if entries != list(range(start + 1, version + 1)):
            raise BrokenError(f"The log of the table at {location} has a gap before version {version}.")
        found = Replay()
        if start >= 0:
            found.apply(list(_checkpointed(filesystem, f"{folder}/{start:020}.checkpoint.parquet")))
        for number in entries:
            found.apply(actions(filesystem, folder, number))
    return found


def actions(filesystem: "FileSystem", folder: str, version: int) -> list[dict[str, Any]]:
    """One entry of the log in this folder. Raises OSError."""
    with filesystem.open_input_file(f"{folder}/{version:020}.{ENTRY}") as source:
        return [json.loads(line) for line in source.read().splitlines() if line.strip()]


def numbers(names: Iterable[str], kind: str) -> Iterator[int]:
    """The versions for which a log has a file of this kind."""
    return (int(match[1]) for name in names if (match := ENTRY_NAME.fullmatch(name)) and match[2] == kind)


def _selector(folder: str) -> Any:
    from pyarrow.fs import FileSelector

    return FileSelector(folder)


def _checkpointed(filesystem: "FileSystem", path: str) -> Iterator[dict[str, Any]]:
    with filesystem.open_input_file(path) as source:
        table = pq.read_table(source, columns=["add", "remove"])
    for kind in ("add", "remove"):
        for value in table.column(kind).drop_null().to_pylist():
            yield {kind: value}


def _data_file(action: dict[str, Any]) -> DataFile:
    stats = json.loads(action.get("stats") or "{}")
    return DataFile(action["path"], action.get("size") or 0, stats, action.get("deletionVector"))
