"""Keep a table quick to open and to read: fewer files, a short log, no leftovers. Safe beside runs and queries."""

import json
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from deltalake import DeltaTable

from hedgerow.lake import log
from hedgerow.lake.log import Change
from hedgerow.lake.parts import FILE_BYTES
from hedgerow.lake.rewrite import rewrite
from hedgerow.lake.storage import Storage

_SMALL_BYTES = FILE_BYTES // 2
_ENOUGH_SMALL = 4  # files worth writing together
_CHECKPOINT_EVERY = 10  # versions


def tidy(storage: Storage, location: str, keep_hours: int) -> None:
    """Join small files, checkpoint the log, and delete files that no version of the last `keep_hours` names.

    `keep_hours` must exceed the longest query and the longest run. A run that commits meanwhile wins: the joining is
    then left to the next time. The state (run, fence, cursor) is kept.
    """
    table = log.open_table(storage, location)
    if table is None:
        return
    if _compact(storage, location, table):
        table = log.open_table(storage, location) or table
    if table.version() - _checkpointed(storage, location) >= _CHECKPOINT_EVERY:
        table.create_checkpoint()
        table.cleanup_metadata()
    _sweep(storage, location, table, keep_hours)


def _compact(storage: Storage, location: str, table: DeltaTable) -> bool:
    small = [file for file in log.files_of(table) if file.size < _SMALL_BYTES]
    if len(small) < _ENOUGH_SMALL or not table.count():
        return False
    schema = log.schema_of(table)
    with ExitStack() as stack:
        adds = rewrite(stack, storage, location, schema, small)
        for add in adds:
            add.data_change = False
        return log.commit_upkeep(storage, location, table, Change(schema, adds, small))


def _checkpointed(storage: Storage, location: str) -> int:
    """The version of the last checkpoint; -1 without one."""
    path = f"{storage.path(location)}/_delta_log/_last_checkpoint"
    try:
        with storage.filesystem().open_input_file(path) as source:
            return int(json.loads(source.read())["version"])
    except FileNotFoundError:
        return -1


def _sweep(storage: Storage, location: str, table: DeltaTable, keep_hours: int) -> None:
    """Delete dropped and orphaned files by age, without the two commits that delta-rs would write about it."""
    filesystem, base = storage.filesystem(), storage.path(location)
    unused = table.vacuum(retention_hours=keep_hours, dry_run=True, enforce_retention_duration=False, full=True)
    for name in unused:
        with suppress(FileNotFoundError):
            filesystem.delete_file(f"{base}/{name}")
    if storage.is_local:
        for path in Path(base, "_delta_log").glob("*#*"):  # delta-rs' staging of a commit that was cut off
            if path.stat().st_mtime < time.time() - keep_hours * 3600:
                path.unlink(missing_ok=True)
