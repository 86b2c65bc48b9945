"""What a table is now: its state for runs and screens, its files for queries."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from hedgerow.core.errors import BrokenError
from hedgerow.lake import log, rewrite, types
from hedgerow.lake.replay import DataFile
from hedgerow.lake.storage import Storage


@dataclass(frozen=True)
class State:
    """A table at its newest version. `columns` are {"name", "type", "stored"}: the contract's type name (spec 3.2)
    and DuckDB's.

    `run`, `fence` and `cursor` are those of the last run that committed (fence 0, the others None: none did).
    """

    version: int
    row_count: int
    columns: list[dict[str, str]]
    run: str | None
    fence: int
    cursor: str | None


@dataclass(frozen=True)
class Column:
    """A column for queries: its exact name, DuckDB's type, and the contract's type name."""

    name: str
    duckdb: str
    type: str


@dataclass(frozen=True)
class Snapshot:
    """The Parquet files of one version and its columns, in order.

    Every file has exactly these columns with these types (a change of schema rewrites the whole table in one commit),
    so all rows of `uris` but the `deleted` ones (uri → ascending row numbers) are the table; see `duck.create_view`.
    A table of ours has at least one file, also without rows. The files stay for `keep_hours` (see `maintain.tidy`)
    after newer versions dropped them.
    """

    version: int
    uris: list[str]
    columns: tuple[Column, ...]
    row_count: int
    deleted: dict[str, pa.Int64Array] = field(default_factory=dict)


def state(storage: Storage, location: str) -> State | None:
    """The newest state; None when there is no table. Reads the newest log entry, not the history."""
    table = log.open_table(storage, location)
    return None if table is None else state_of(storage, location, table)


def state_of(storage: Storage, location: str, table: DeltaTable) -> State:
    """The state of an opened table."""
    facts = log.facts_of(table)
    return State(
        version=table.version(),
        row_count=_count(log.files_of(storage, location, table)),
        columns=[
            {"name": f.name, "type": types.contract(f.type), "stored": types.duckdb(f.type)}
            for f in log.schema_of(table)
        ],
        run=facts.run if facts else None,
        fence=log.fence_of(table),
        cursor=facts.cursor if facts else None,
    )


def files(storage: Storage, location: str, version: int | None = None) -> Snapshot | None:
    """What a query needs of the newest version, or of `version`; None when there is no table.

    Raises BrokenError when there is no such version. Its files may be gone (see `lake.versions`).
    """
    table = log.open_table(storage, location, version)
    if table is None:
        return None
    columns = tuple(Column(f.name, types.duckdb(f.type), types.contract(f.type)) for f in log.schema_of(table))
    active = log.files_of(storage, location, table)
    base = storage.uri(location)
    deleted = {f"{base}/{path}": rows for path, rows in deleted_rows(table, active).items()}
    return Snapshot(table.version(), [f"{base}/{f.path}" for f in active], columns, _count(active), deleted)


def deleted_rows(table: DeltaTable, files: Iterable[DataFile]) -> dict[str, pa.Int64Array]:
    """The row numbers, ascending, that do not count any more, for those of the active `files` that have some.

    Raises BrokenError when a deletion vector is gone.
    """
    wanted = {file.path for file in files if file.vector}
    found: dict[str, pa.Int64Array] = {}
    try:
        for batch in pa.RecordBatchReader.from_stream(table.deletion_vectors()) if wanted else ():
            for address, counts in zip(*batch.columns, strict=True):
                path = address.as_py().rpartition("/")[2]
                if path in wanted:
                    found[path] = pc.indices_nonzero(pc.invert(counts.values)).cast(pa.int64())
    except (DeltaError, OSError) as error:
        raise BrokenError(f"A deletion vector of the table cannot be read: {error}") from error
    if len(found) < len(wanted):
        raise BrokenError("A deletion vector of the table cannot be read.")
    return found


def _count(files: Iterable[DataFile]) -> int:
    return sum(file.rows - file.deleted for file in files)


def maximum(storage: Storage, location: str, column: str) -> str | None:
    """The greatest value of a column as text; None when the table, the column or a value is missing.

    Numbers and dates as SQL writes them, instants as `2026-01-31 08:00:00.000000Z`, wall clocks without the Z.
    """
    table = log.open_table(storage, location)
    if table is None or column not in log.schema_of(table).names:
        return None
    active = log.files_of(storage, location, table)
    deleted = deleted_rows(table, active)
    greatest: Any = None
    for file in active:
        for batch in rewrite.batches(storage, location, file.path, columns=[column], without=deleted.get(file.path)):
            value = pc.max(batch.column(0))
            if value.is_valid and (greatest is None or pc.greater(value, greatest).as_py()):
                greatest = value
    return None if greatest is None else str(greatest.cast(pa.string()).as_py())
