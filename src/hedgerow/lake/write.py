"""Write a run's rows into a table: replace, append or merge, each as one atomic commit.

All three stream: batches go into Parquet files of their own, which nobody sees until one Delta commit names them and
drops what they replace. A write that fails deletes its files; one that is killed leaves them to `maintain.tidy`.

A table has the columns of its source under `naming.column_names`; a source without columns gives one placeholder
column. A change of schema by append or merge rewrites the whole table in the same commit, so that every file of a
version has exactly its columns.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import replace as replace_fields

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from hedgerow.core.errors import ConflictError, KeyRequiredError
from hedgerow.lake import evolve, log, read, vectors
from hedgerow.lake.keys import ChangedKeys
from hedgerow.lake.log import Change, CommitFacts
from hedgerow.lake.parts import PartWriter
from hedgerow.lake.replay import DataFile
from hedgerow.lake.rewrite import rewrite
from hedgerow.lake.storage import Storage

__all__ = ["CommitFacts", "Written", "append", "merge", "replace"]

Finish = Callable[[], CommitFacts]
OnRows = Callable[[int], None]


@dataclass(frozen=True)
class Written:
    """What a write did: rows taken from the batches; version, row count and columns of the table now (see `State`)."""

    rows: int
    version: int
    row_count: int
    columns: list[dict[str, str]]


def replace(
    storage: Storage,
    location: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    finish: Finish,
    on_rows: OnRows,
) -> Written:
    """Make the batches the whole table, whatever its columns were before. No rows make an empty table.

    `batches` have exactly `schema`, with the source's column names; `on_rows(n)` is called after each. `finish` is
    called once, after the last batch and just before the commit; when it raises, nothing was written.
    Raises ConflictError when its fence is not newer than the table's, BadDataError for a type that cannot be stored.
    """
    incoming = evolve.Incoming.of(schema)
    with PartWriter(storage, location, incoming.schema) as parts:
        rows = _stream(incoming, incoming.schema, batches, parts, on_rows)
        change = Change(incoming.schema, parts.close(at_least_one=True), whole=True)
        table = log.commit(storage, location, finish, lambda _table: change)
    return _written(storage, location, rows, table)


def append(
    storage: Storage,
    location: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    finish: Finish,
    on_rows: OnRows,
) -> Written:
    """Add the batches to the table, which is made when absent. See `replace` for the arguments.

    Without rows nothing is committed to a table that exists, unless the facts ask for it (`CommitFacts.always`):
    version, fence and cursor stay as they are.
    Raises BadDataError when a column's type changed beyond widening (the user must resync).
    """
    return _add(storage, location, schema, batches, finish, on_rows, key=None)


def merge(
    storage: Storage,
    location: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    finish: Finish,
    on_rows: OnRows,
    key: Sequence[str],
) -> Written:
    """Add the batches, dropping rows of the table whose `key` (source column names) they bring again.

    As `append` otherwise. Files that hold such rows stay, with a deletion vector: the price is that of the change, not
    of the table. Raises KeyRequiredError when the batches lack
    a key column, or bring a key twice or null.
    """
    if not key or not set(key) <= set(schema.names):
        raise KeyRequiredError("Primary key required for incremental syncs")
    return _add(storage, location, schema, batches, finish, on_rows, key=list(dict.fromkeys(key)))


def _add(
    storage: Storage,
    location: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    finish: Finish,
    on_rows: OnRows,
    *,
    key: list[str] | None,
) -> Written:
    incoming = evolve.Incoming.of(schema)
    before = log.open_table(storage, location)
    target = _target(before, incoming)
    key_schema = pa.schema([_field(target, incoming.names[name]) for name in key or ()])
    with ExitStack() as stack:
        parts = stack.enter_context(PartWriter(storage, location, target, key_schema.names))
        rows = _stream(incoming, target, batches, parts, on_rows)
        if not rows and before is not None:
            return _written(storage, location, 0, _without_rows(storage, location, before, finish()))
        adds = parts.close(at_least_one=True)
        written = [add.path for add in adds]
        keys = stack.enter_context(ChangedKeys(storage, location, key_schema, written)) if key else None

        def plan(table: DeltaTable | None) -> Change:
            if (table is None) != (before is None) or _target(table, incoming) != target:
                raise ConflictError("The table was made, changed or deleted by another run since this one began.")
            if table is None:
                return Change(target, adds, whole=True)
            active = log.files_of(storage, location, table)
            deleted = _deleted(table, active, keys)
            if log.schema_of(table) == target:
                return _with_vectors(storage, location, target, adds, active, deleted)
            names = key_schema.names
            kept = rewrite(stack, storage, location, target, active, doomed=deleted, keep_stats=names)
            return Change(target, [*kept, *adds], whole=True)

        table = log.commit(storage, location, finish, plan)
    return _written(storage, location, rows, table)


def _deleted(table: DeltaTable, active: Sequence[DataFile], keys: ChangedKeys | None) -> dict[str, pa.Int64Array]:
    """The row numbers, ascending, that will not count any more: those that did not, and those with a changed key."""
    deleted = read.deleted_rows(table, active)
    matches = keys.matches(active, log.schema_of(table)) if keys else {}
    for path, rows in matches.items():
        both = pa.chunked_array([deleted[path], rows]) if path in deleted else rows
        unique = pc.unique(both)
        deleted[path] = unique.take(pc.sort_indices(unique))
    return deleted


def _with_vectors(
    storage: Storage,
    location: str,
    schema: pa.Schema,
    adds: list[DataFile],
    active: Sequence[DataFile],
    deleted: dict[str, pa.Int64Array],
) -> Change:
    """Add files; those of the active ones that lose rows get a vector that says so, or go when none is left."""
    touched = [file for file in active if len(deleted.get(file.path, ())) > file.deleted]
    left = [file for file in touched if len(deleted[file.path]) < file.rows]
    descriptors = vectors.write(storage, location, {file.path: deleted[file.path] for file in left})
    again = [replace_fields(file, vector=descriptors[file.path]) for file in left]
    return Change(schema, [*again, *adds], touched)


def _without_rows(storage: Storage, location: str, table: DeltaTable, facts: CommitFacts) -> DeltaTable:
    """Leave the table alone, or commit nothing but the facts. Raises ConflictError as any commit."""
    log.check_fence(table, facts)
    if not facts.always:
        return table

    def plan(now: DeltaTable | None) -> Change:
        if now is None:
            raise ConflictError("The table was deleted since this run began.")
        return Change(log.schema_of(now), [])

    return log.commit(storage, location, lambda: facts, plan)


def _target(table: DeltaTable | None, incoming: evolve.Incoming) -> pa.Schema:
    """The schema that the table will have."""
    return evolve.merged_schema(log.schema_of(table), incoming.schema) if table else incoming.schema


def _field(schema: pa.Schema, name: str) -> pa.Field:
    """The field called `name`, but for case."""
    return next(field for field in schema if field.name.lower() == name.lower())


def _stream(
    incoming: evolve.Incoming,
    target: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    parts: PartWriter,
    on_rows: OnRows,
) -> int:
    rows = 0
    for batch in batches:
        if batch.num_rows:
            parts.write(evolve.conform(incoming.renamed(batch), target))
        rows += batch.num_rows
        on_rows(batch.num_rows)
    return rows


def _written(storage: Storage, location: str, rows: int, table: DeltaTable) -> Written:
    state = read.state_of(storage, location, table)
    return Written(rows, state.version, state.row_count, state.columns)
