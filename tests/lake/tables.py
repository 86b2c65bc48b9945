"""Short ways to write and look at a table, shared by the lake's tests."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from hedgerow.lake import duck, read, write
from hedgerow.lake.storage import Storage
from hedgerow.lake.write import CommitFacts, Written

PLACE = "7/shop_postgres_orders-0a1b2c3d"
ALICE, BOB = {"id": 1, "name": "Alice"}, {"id": 2, "name": "Bob"}
PEOPLE = pa.Table.from_pylist([ALICE, BOB])


def facts(
    fence: int, cursor: str | None = None, base: int | None = None, *, always: bool = False
) -> Callable[[], CommitFacts]:
    return lambda: CommitFacts(f"run-{fence}", fence, cursor, base, always)


def replace(storage: Storage, fence: int, table: pa.Table, **facts_: Any) -> Written:
    return write.replace(storage, PLACE, table.schema, table.to_batches(), facts(fence, **facts_), lambda _n: None)


def append(storage: Storage, fence: int, table: pa.Table, **facts_: Any) -> Written:
    return write.append(storage, PLACE, table.schema, table.to_batches(), facts(fence, **facts_), lambda _n: None)


def merge(storage: Storage, fence: int, table: pa.Table, key: Iterable[str] = ("id",), **facts_: Any) -> Written:
    batches = table.to_batches()
    return write.merge(storage, PLACE, table.schema, batches, facts(fence, **facts_), lambda _n: None, list(key))


def content(storage: Storage) -> pa.Table:
    """The table as queries read it, after checking that delta-rs and Polars read the same."""
    table = viewed(storage)
    by_polars = pl.read_delta(storage.uri(PLACE))
    assert by_polars.columns == table.column_names
    assert _as_bag(by_polars) == _as_bag(pl.from_arrow(table))
    by_delta = pl.from_arrow(pa.RecordBatchReader.from_stream(DeltaTable(storage.uri(PLACE)).scan()).read_all())
    assert _as_bag(by_delta) == _as_bag(by_polars)
    return table


def viewed(storage: Storage) -> pa.Table:
    """The table as queries read it."""
    snapshot = read.files(storage, PLACE)
    assert snapshot is not None
    with duck.connect(storage) as db:
        duck.create_view(db, "this", snapshot)
        table: pa.Table = db.execute("FROM this").to_arrow_table()
    assert table.column_names == [column.name for column in snapshot.columns]
    assert table.num_rows == snapshot.row_count
    return table


def rows(storage: Storage, order: str = "id") -> list[dict[str, Any]]:
    """Every row, ordered by a column."""
    found: list[dict[str, Any]] = content(storage).sort_by(order).to_pylist()
    return found


def files(storage: Storage) -> set[str]:
    """The data files that lie in the table's folder, named by the log or not."""
    return {path.name for path in Path(storage.path(PLACE)).glob("*.parquet")}


def _as_bag(frame: pl.DataFrame | pl.Series) -> list[str]:
    """Rows as text, so that NaN equals itself and order does not count."""
    assert isinstance(frame, pl.DataFrame)
    return sorted(map(repr, frame.rows()))
