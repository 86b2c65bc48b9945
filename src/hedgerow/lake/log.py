"""The Delta log of one table: open it, read Hedgerow's facts from it, commit to it.

Every commit of the lake carries the facts of the run that last wrote (compaction copies them), so the newest log entry
always tells how far the table got, also after a checkpoint and the clean-up of older entries.

Entries are written here and not by delta-rs, which knows no way to name a deletion vector, and which would rebase a
commit onto a newer version without seeing that files it removes are gone. A commit is compare-and-swap: the entry of
the next version is made only if there is none, and a lost race is planned again from the new state.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError

from hedgerow import __version__
from hedgerow.core.errors import BrokenError, ConflictError
from hedgerow.core.ids import uuid7
from hedgerow.lake.replay import DataFile, replay
from hedgerow.lake.storage import Storage, storage_errors

APP = "hedgerow"
_RACES = 20  # lost in a row before giving up
_LOG_DAYS = "interval 2 days"  # a busy table commits 300 times a day
_VECTORS, _WALL_CLOCKS = "deletionVectors", "timestampNtz"
_KNOWN_FEATURES = {_VECTORS, _WALL_CLOCKS}


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
class Change:
    """What a commit does: add files and drop some, or (`whole`) make them the whole table with a new schema.

    A file that is dropped and added again gets another deletion vector.
    """

    schema: pa.Schema
    adds: list[DataFile]
    removes: list[DataFile] = field(default_factory=list)
    whole: bool = False


def open_table(storage: Storage, location: str, version: int | None = None) -> DeltaTable | None:
    """The table at its newest version, or at `version`; None when there is none."""
    try:
        return DeltaTable(storage.uri(location), version=version, storage_options=storage.delta_options())
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise BrokenError(f"The table at {location} cannot be opened: {error}") from error


def schema_of(table: DeltaTable) -> pa.Schema:
    """The table's columns with their stored Arrow types."""
    return pa.schema([pa.field(f.name, f.type) for f in pa.schema(table.schema().to_arrow())])


def files_of(storage: Storage, location: str, table: DeltaTable) -> list[DataFile]:
    """The active files, in order of their arrival."""
    return list(replay(storage, location, table.version()).active.values())


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
    finish: Callable[[], CommitFacts],
    plan: Callable[[DeltaTable | None], Change],
) -> DeltaTable:
    """Plan against the newest state and commit exactly on it; planned again when others committed in between.

    `finish` is called once, after the first plan; nothing is visible before. Returns the table as committed (durable
    on a local disk). Raises ConflictError for an old fence.
    """
    facts: CommitFacts | None = None
    for _ in range(_RACES):
        table = open_table(storage, location)
        change = plan(table)
        facts = facts or finish()
        check_fence(table, facts)
        _check_present(storage, location, change.adds)
        transaction = {"txn": {"appId": APP, "version": facts.fence, "lastUpdated": _now()}}
        actions = [_info(facts, "WRITE"), transaction, *_actions(storage, location, table, change)]
        if _attempt(storage, location, table, actions, facts.fence):
            return _committed(storage, location)
    raise ConflictError("The table was changed by others again and again; try again.")


def commit_upkeep(storage: Storage, location: str, table: DeltaTable, change: Change) -> bool:
    """Commit a change of form, not of content, copying the facts. False when somebody else committed first."""
    changes = _actions(storage, location, table, change, is_content=False)
    return _put(storage, location, table.version() + 1, [_info(facts_of(table), "OPTIMIZE"), *changes])


def _attempt(
    storage: Storage, location: str, table: DeltaTable | None, actions: list[dict[str, Any]], fence: int
) -> bool:
    """Whether the commit landed. An answer that was lost on the way is looked up in the log: fences are unique."""
    try:
        if _put(storage, location, table.version() + 1 if table else 0, actions):
            return True
    except OSError:
        if fence_of(open_table(storage, location)) != fence:
            with storage_errors():
                raise
        return True
    return fence_of(open_table(storage, location)) == fence


def _put(storage: Storage, location: str, version: int, actions: list[dict[str, Any]]) -> bool:
    entry = "\n".join(json.dumps(action, ensure_ascii=False, separators=(",", ":")) for action in actions)
    if version == 0:
        storage.create_folder(f"{location}/_delta_log")
    return storage.create(f"{location}/_delta_log/{version:020}.json", entry.encode())


def _info(facts: CommitFacts | None, operation: str) -> dict[str, Any]:
    info: dict[str, Any] = {"timestamp": _now(), "operation": operation, "engineInfo": f"{APP}/{__version__}"}
    if facts is not None:
        info |= {"hedgerow.run": facts.run, "hedgerow.fence": facts.fence}
        if facts.cursor is not None:
            info["hedgerow.cursor"] = facts.cursor
    return {"commitInfo": info}


def _actions(
    storage: Storage, location: str, table: DeltaTable | None, change: Change, *, is_content: bool = True
) -> list[dict[str, Any]]:
    """The actions of a change on the state of `table`."""
    removes = change.removes
    if table is not None and change.whole:
        removes = files_of(storage, location, table)
    now = _now()
    return [
        *_shape(table, change),
        *({"remove": _remove(file, now, is_content)} for file in removes),
        *({"add": _add(file, now, is_content)} for file in change.adds),
    ]


def _shape(table: DeltaTable | None, change: Change) -> list[dict[str, Any]]:
    """Protocol and schema, where the change needs others than the table has."""
    has = set(table.protocol().writer_features or []) if table else set()
    needs = {_WALL_CLOCKS} if pa.timestamp("us") in change.schema.types else set()
    needs |= {_VECTORS} if any(file.vector for file in change.adds) else set()
    if has - _KNOWN_FEATURES:
        raise BrokenError(f"The table uses features of Delta that Hedgerow does not write: {sorted(has)}.")
    features = sorted(has | needs)
    actions: list[dict[str, Any]] = []
    if table is None and not features:
        actions.append({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
    elif needs - has:
        versions = {"minReaderVersion": 3, "minWriterVersion": 7}
        actions.append({"protocol": {**versions, "readerFeatures": features, "writerFeatures": features}})
    if table is None or needs - has or change.schema != schema_of(table):
        actions.append({"metaData": _metadata(table, change.schema, features)})
    return actions


def _metadata(table: DeltaTable | None, schema: pa.Schema, features: list[str]) -> dict[str, Any]:
    known = table.metadata() if table else None
    configuration = {"delta.logRetentionDuration": _LOG_DAYS, **(known.configuration if known else {})}
    if _VECTORS in features:
        configuration["delta.enableDeletionVectors"] = "true"
    return {
        "id": str(known.id if known else uuid7()),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": Schema.from_arrow(schema).to_json(),
        "partitionColumns": [],
        "configuration": configuration,
        "createdTime": known.created_time if known and known.created_time else _now(),
    }


def _add(file: DataFile, now: int, is_content: bool) -> dict[str, Any]:
    stats = file.stats | {"tightBounds": False} if file.vector else file.stats
    action = {"path": file.path, "partitionValues": {}, "size": file.size, "modificationTime": now}
    action |= {"dataChange": is_content, "stats": json.dumps(stats, ensure_ascii=False, separators=(",", ":"))}
    return action | ({"deletionVector": file.vector} if file.vector else {})


def _remove(file: DataFile, now: int, is_content: bool) -> dict[str, Any]:
    action = {"path": file.path, "deletionTimestamp": now, "dataChange": is_content, "extendedFileMetadata": True}
    action |= {"partitionValues": {}, "size": file.size}
    return action | ({"deletionVector": file.vector} if file.vector else {})


def _now() -> int:
    return int(time.time() * 1000)


def _check_present(storage: Storage, location: str, adds: Iterable[DataFile]) -> None:
    """A commit must not name a file that the tidying of another process took for an orphan."""
    paths = [f"{storage.path(location)}/{name}" for add in adds for name in add.names]
    for info in storage.filesystem().get_file_info(paths):
        if not info.is_file:
            raise BrokenError(f"The file {info.path}, written by this run, is gone.")


def _committed(storage: Storage, location: str) -> DeltaTable:
    table = open_table(storage, location)
    if table is None:
        raise BrokenError(f"The table at {location} is gone after a commit.")
    return table
