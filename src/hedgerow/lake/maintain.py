"""Keep a table quick to open and to read: fewer files, few deleted rows, a short log, no leftovers.

Safe beside runs and queries.
"""

import json
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from deltalake import DeltaTable
from pyarrow.fs import FileInfo, FileSelector

from hedgerow.lake import log, read
from hedgerow.lake.log import Change
from hedgerow.lake.parts import FILE_BYTES
from hedgerow.lake.replay import ENTRY_NAME, DataFile, replay
from hedgerow.lake.rewrite import rewrite
from hedgerow.lake.storage import STAGED, Storage, storage_errors

_SMALL_BYTES = FILE_BYTES // 2
_ENOUGH_SMALL = 4  # files worth writing together
_DELETED_SHARE = 0.1  # of a file's rows: more are dearer to skip in every query than to leave out once
_DELETED_ROWS = 2_000_000  # of a table: queries hold the numbers of deleted rows in memory
_CHECKPOINT_EVERY = 10  # versions


def tidy(storage: Storage, location: str, keep_hours: int) -> None:
    """Join small files, leave out deleted rows, checkpoint the log, and delete what no version still needs.

    A version is kept for `keep_hours` after it was replaced; that must exceed the longest query and the longest run.
    A run that commits meanwhile wins: the writing anew is then left to the next time. The state (run, fence, cursor)
    is kept.
    """
    table = log.open_table(storage, location)
    if table is None:
        return
    if _compact(storage, location, table):
        table = log.open_table(storage, location) or table
    if table.version() - _checkpointed(storage, location) >= _CHECKPOINT_EVERY:
        table.create_checkpoint()
    _shorten(storage, location, keep_hours)
    _sweep(storage, location, table, keep_hours)


def _compact(storage: Storage, location: str, table: DeltaTable) -> bool:
    active = log.files_of(storage, location, table)
    worn = _worn(active)
    if not worn or sum(file.rows - file.deleted for file in active) == 0:
        return False
    schema = log.schema_of(table)
    with ExitStack() as stack:
        adds = rewrite(stack, storage, location, schema, worn, doomed=read.deleted_rows(table, worn))
        return log.commit_upkeep(storage, location, table, Change(schema, adds, worn))


def _worn(active: list[DataFile]) -> list[DataFile]:
    """The files worth writing anew, in their order."""
    small = [file for file in active if file.size < _SMALL_BYTES]
    chosen = {file.path for file in small} if len(small) >= _ENOUGH_SMALL else set()
    chosen |= {file.path for file in active if file.deleted > _DELETED_SHARE * file.rows}
    deleted = sum(file.deleted for file in active if file.path not in chosen)
    for file in sorted(active, key=lambda file: -file.deleted):
        if deleted > _DELETED_ROWS and file.path not in chosen:
            chosen.add(file.path)
            deleted -= file.deleted
    return [file for file in active if file.path in chosen]


def _checkpointed(storage: Storage, location: str) -> int:
    """The version of the last checkpoint; -1 without one."""
    path = f"{storage.path(location)}/_delta_log/_last_checkpoint"
    try:
        with storage.filesystem().open_input_file(path) as source:
            return int(json.loads(source.read())["version"])
    except FileNotFoundError:
        return -1


def _shorten(storage: Storage, location: str, keep_hours: int) -> None:
    """Delete the log up to the newest checkpoint older than `keep_hours`: what it says was replaced before that."""
    oldest = time.time() - keep_hours * 3600
    with storage_errors():
        found = storage.filesystem().get_file_info(FileSelector(f"{storage.path(location)}/_delta_log"))
    entries = [(int(match[1]), info) for info in found if (match := ENTRY_NAME.fullmatch(info.base_name))]
    first = max((n for n, info in entries if "checkpoint" in info.base_name and _is_older(info, oldest)), default=0)
    entries.sort(key=lambda entry: entry[0])  # what is left, when this is cut off, still hangs together
    _delete(storage, [info for number, info in entries if number < first])


def _sweep(storage: Storage, location: str, table: DeltaTable, keep_hours: int) -> None:
    """Delete dropped files when their time has come, and orphans by age."""
    oldest = time.time() - keep_hours * 3600
    known = replay(storage, location, table.version())
    recent = [file for moment, file in known.dropped if moment >= oldest * 1000]
    named = {name for file in (*known.active.values(), *recent) for name in file.names}
    dropped = {name for _, file in known.dropped for name in file.names}
    base = storage.path(location)
    filesystem = storage.filesystem()
    with storage_errors():
        present = [info for info in filesystem.get_file_info(FileSelector(base)) if info.is_file]
        staged = filesystem.get_file_info(FileSelector(f"{base}/_delta_log"))
    unused = [info for info in present if info.base_name not in named]
    unused = [info for info in unused if info.base_name in dropped or _is_older(info, oldest)]
    # What a crash left of a commit, or of a checkpoint of delta-rs.
    unused += [
        info for info in staged if (STAGED in info.base_name or "#" in info.base_name) and _is_older(info, oldest)
    ]
    _delete(storage, unused)


def _delete(storage: Storage, unused: Iterable[FileInfo]) -> None:
    filesystem = storage.filesystem()
    for info in unused:
        with suppress(FileNotFoundError):
            filesystem.delete_file(info.path)


def _is_older(info: FileInfo, moment: float) -> bool:
    return bool(info.mtime_ns < moment * 1e9)
