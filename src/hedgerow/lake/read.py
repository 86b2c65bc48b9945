"""What a table is now: its state for runs and screens, its files for queries."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from hedgerow.lake import log, types
from hedgerow.lake.storage import Storage, storage_errors


@dataclass(frozen=True)
class State:
    """A table at its newest version. `columns` are {"name", "type"} with the contract's type names (spec 3.2).

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
    so `SELECT * FROM read_parquet(uris)` is the table. A table of ours has at least one file, also without rows.
    The files stay for `keep_hours` (see `maintain.tidy`) after newer versions dropped them.
    """

    version: int
    uris: list[str]
    columns: tuple[Column, ...]
    row_count: int


def state(storage: Storage, location: str) -> State | None:
    """The newest state; None when there is no table. Reads the newest log entry, not the history."""
    table = log.open_table(storage, location)
    return None if table is None else state_of(table)


def state_of(table: DeltaTable) -> State:
    """The state of an opened table."""
    facts = log.facts_of(table)
    return State(
        version=table.version(),
        row_count=table.count(),
        columns=[{"name": f.name, "type": types.contract(f.type)} for f in log.schema_of(table)],
        run=facts.run if facts else None,
        fence=log.fence_of(table),
        cursor=facts.cursor if facts else None,
    )


def files(storage: Storage, location: str) -> Snapshot | None:
    """What a query needs of the newest version; None when there is no table."""
    table = log.open_table(storage, location)
    if table is None:
        return None
    columns = tuple(Column(f.name, types.duckdb(f.type), types.contract(f.type)) for f in log.schema_of(table))
    active = log.files_of(table)
    base = storage.uri(location)
    return Snapshot(table.version(), [f"{base}/{f.path}" for f in active], columns, table.count())


def maximum(storage: Storage, location: str, column: str) -> str | None:
    """The greatest value of a column as text; None when the table, the column or a value is missing.

    Numbers and dates as SQL writes them, instants as `2026-01-31 08:00:00.000000Z`, wall clocks without the Z.
    """
    table = log.open_table(storage, location)
    if table is None or column not in log.schema_of(table).names:
        return None
    greatest: Any = None
    filesystem = storage.filesystem()
    for file in log.files_of(table):
        with storage_errors(), filesystem.open_input_file(f"{storage.path(location)}/{file.path}") as source:
            for batch in pq.ParquetFile(source).iter_batches(columns=[column]):
                value = pc.max(batch.column(0))
                if value.is_valid and (greatest is None or pc.greater(value, greatest).as_py()):
                    greatest = value
    return None if greatest is None else str(greatest.cast(pa.string()).as_py())
