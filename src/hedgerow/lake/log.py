"""The Delta log of one table: open it, read Hedgerow's facts from it, commit to it.

Every commit of the lake carries the facts of the run that last wrote (compaction copies them), so the newest log entry
always tells how far the table got, also after a checkpoint and the clean-up of older entries.

Commits are compare-and-swap: delta-rs would rebase a commit onto a newer version without seeing that files it removes
are gone, so its own retries are off (`max_commit_retries=0`) and a lost race is planned again from the new state.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, TableFeatures, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from hedgerow.core.errors import BrokenError, ConflictError
from hedgerow.lake.storage import Storage

APP = "hedgerow"
_RACES = 20  # lost in a row before giving up
_CONFIGURATION = {"delta.logRetentionDuration": "interval 2 days"}  # a busy table commits 300 times a day
_WALL_CLOCKS = "timestampNtz"


@dataclass(frozen=True)
class CommitFacts:
    """Who writes: the run's id, its fence (grows with every start) and the cursor reached.

    `base` is the fence that the state showed when the run began (0: no table). When given, the commit is refused if
    another run has committed since: its rows would be added twice. `always`: commit these facts even without rows.
    """

    run: str
    fence: int
    cursor: str | None = None
    base: int | None = None
    always: bool = False


@dataclass(frozen=True)
class DataFile:
    """One active Parquet file: path relative to the table, bytes, rows (None: its writer did not say)."""

    path: str
    size: int
    rows: int | None


@dataclass(frozen=True)
class Change:
    """What a commit does: add files and remove some, or (`whole`) make them the whole table with a new schema."""

    schema: pa.Schema
    adds: list[AddAction]
    removes: list[DataFile] = field(default_factory=list)
    whole: bool = False


def open_table(storage: Storage, location: str) -> DeltaTable | None:
    """The table at its newest version; None when there is none, or only the rest of a creation that was cut off."""
    for _ in range(2):
        try:
            return DeltaTable(storage.uri(location), storage_options=storage.delta_options())
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            if not _drop_torn_commit(storage, location):
                raise BrokenError(f"The table at {location} cannot be opened: {error}") from error
    return None


def schema_of(table: DeltaTable) -> pa.Schema:
    """The table's columns with their stored Arrow types."""
    return pa.schema([pa.field(f.name, f.type) for f in pa.schema(table.schema().to_arrow())])


def actions_of(table: DeltaTable) -> pa.Table:
    """One row per active file: path, size_bytes, num_records, `min.<column>`, `max.<column>`, …"""
    return pa.table(table.get_add_actions(flatten=True))


def files_of(table: DeltaTable) -> list[DataFile]:
    """The active files."""
    actions = actions_of(table).select(["path", "size_bytes", "num_records"]).to_pylist()
    return [DataFile(row["path"], row["size_bytes"], row["num_records"]) for row in actions]


def facts_of(table: DeltaTable) -> CommitFacts | None:
    """Run, fence and cursor from the newest commit that carries them; None when no such commit is left."""
    for limit in (1, 20, None):
        for entry in table.history(limit):
            if entry.get("hedgerow.run") is not None:
                return CommitFacts(entry["hedgerow.run"], int(entry["hedgerow.fence"]), entry.get("hedgerow.cursor"))
    return None


def fence_of(table: DeltaTable | None) -> int:
    """The fence of the last run that committed; 0 when none did."""
    return (table.transaction_version(APP) or 0) if table else 0


def check_fence(table: DeltaTable | None, facts: CommitFacts) -> None:
    """Raises ConflictError when a newer start of a run, or an unexpected one, has committed."""
    last = fence_of(table)
    if facts.fence <= last:
        raise ConflictError("A newer run has written this table; this one is out of date and its rows were dropped.")
    if facts.base is not None and facts.base != last:
        raise ConflictError("Another run has written this table since this one began; its rows were dropped.")


def commit(
    storage: Storage,
    location: str,
    schema: pa.Schema,
    finish: Callable[[], CommitFacts],
    plan: Callable[[DeltaTable | None], Change],
) -> DeltaTable:
    """Plan against the newest state and commit exactly on it; planned again when others committed in between.

    `schema` is what the table will have. `finish` is called once, after the first plan; nothing is visible before.
    Returns the table as committed (durable on a local disk). Raises ConflictError for an old fence.
    """
    facts: CommitFacts | None = None
    for _ in range(_RACES):
        table = open_table(storage, location)
        if table is not None and not _holds_wall_clocks(table, schema):
            with contextlib.suppress(CommitFailedError):
                _allow_wall_clocks(table)
            continue
        change = plan(table)
        facts = facts or finish()
        check_fence(table, facts)
        if _attempt(storage, location, table, change, facts):
            return _settled(storage, location)
    raise ConflictError("The table was changed by others again and again; try again.")


def commit_upkeep(storage: Storage, location: str, table: DeltaTable, change: Change) -> bool:
    """Commit a change of form, not of content, copying the facts. False when somebody else committed first."""
    try:
        _write(table, change, _properties(facts_of(table)), is_content=False)
    except CommitFailedError:
        return False
    _settled(storage, location)
    return True


def _attempt(storage: Storage, location: str, table: DeltaTable | None, change: Change, facts: CommitFacts) -> bool:
    """Whether the commit landed. An answer that was lost on the way is looked up in the log: fences are unique."""
    _check_present(storage, location, change.adds)
    properties = _properties(facts, Transaction(APP, facts.fence))
    try:
        if table is None:
            _create(storage, location, change, properties)
        else:
            _write(table, change, properties)
    except (DeltaError, OSError) as error:
        now = open_table(storage, location)
        if now is not None and now.transaction_version(APP) == facts.fence:
            return True
        lost_race = isinstance(error, CommitFailedError) or (table is None and now is not None)
        if not lost_race:
            raise BrokenError(f"The commit to the table at {location} failed: {error}") from error
        return False
    return True


def _create(storage: Storage, location: str, change: Change, properties: CommitProperties) -> None:
    create_table_with_add_actions(
        storage.uri(location),
        Schema.from_arrow(change.schema),
        change.adds,
        configuration=_CONFIGURATION,
        storage_options=storage.delta_options(),
        commit_properties=properties,
    )


def _write(table: DeltaTable, change: Change, properties: CommitProperties, *, is_content: bool = True) -> None:
    now = int(time.time() * 1000)
    removes = [RemoveAction(f.path, is_content, now, f.size, {}) for f in change.removes]
    table.create_write_transaction(
        [*change.adds, *removes],
        mode="overwrite" if change.whole else "append",
        schema=Schema.from_arrow(change.schema),
        commit_properties=properties,
    )


def _properties(facts: CommitFacts | None, transaction: Transaction | None = None) -> CommitProperties:
    metadata = {}
    if facts is not None:
        metadata = {"hedgerow.run": facts.run, "hedgerow.fence": facts.fence}
        if facts.cursor is not None:
            metadata["hedgerow.cursor"] = facts.cursor
    return CommitProperties(
        custom_metadata=metadata, max_commit_retries=0, app_transactions=[transaction] if transaction else None
    )


def _holds_wall_clocks(table: DeltaTable, schema: pa.Schema) -> bool:
    """Time stamps without a zone need a table feature, which delta-rs turns on only when a table begins with one."""
    return pa.timestamp("us") not in schema.types or _WALL_CLOCKS in (table.protocol().writer_features or [])


def _allow_wall_clocks(table: DeltaTable) -> None:
    table.alter.add_feature(
        TableFeatures.TimestampWithoutTimezone,
        allow_protocol_versions_increase=True,
        commit_properties=_properties(facts_of(table)),
    )


def _check_present(storage: Storage, location: str, adds: Iterable[AddAction]) -> None:
    """A commit must not name a file that the tidying of another process took for an orphan."""
    paths = [f"{storage.path(location)}/{add.path}" for add in adds]
    for info in storage.filesystem().get_file_info(paths):
        if not info.is_file:
            raise BrokenError(f"The file {info.path}, written by this run, is gone.")


def _settled(storage: Storage, location: str) -> DeltaTable:
    """The newest state, after the log entry has reached the disk: what is reported as done survives a power cut."""
    table = open_table(storage, location)
    if table is None:
        raise BrokenError(f"The table at {location} is gone after a commit.")
    if storage.is_local:
        log = Path(storage.path(location)) / "_delta_log"
        entry = log / f"{table.version():020}.json"
        for path in (entry, log, log.parent):
            with contextlib.suppress(FileNotFoundError):
                sync_to_disk(path)
    return table


def sync_to_disk(path: Path) -> None:
    """fsync a local file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop_torn_commit(storage: Storage, location: str) -> bool:
    """Delete the newest log entry of a local table when a power cut left it incomplete. Nobody was told of it yet."""
    entries = sorted(Path(storage.path(location)).glob("_delta_log/*.json")) if storage.is_local else []
    if not entries:
        return False
    try:
        lines = entries[-1].read_text().splitlines()
        if lines and all(isinstance(json.loads(line), dict) for line in lines):
            return False
    except ValueError:
        pass
    entries[-1].unlink()
    return True
