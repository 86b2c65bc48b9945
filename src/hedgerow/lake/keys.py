"""Find the rows that a merge replaces: which files can hold a changed key, and at which row numbers they do.

DuckDB matches the keys, because it takes every type and any number of columns, and spills to disk when they are many.
"""

import datetime
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from hedgerow.core.errors import KeyRequiredError
from hedgerow.lake import log, rewrite
from hedgerow.lake.log import DataFile
from hedgerow.lake.storage import Storage

_MEMORY = "128MiB"
_PRUNABLE = (int, str, datetime.date)  # others are rounded in statistics
NOT_UNIQUE = "The primary keys for this table are not unique"


class ChangedKeys:
    """The keys (columns `key`) of the rows in `paths`, files just written. A context: it keeps a small database.

    Raises KeyRequiredError when a key is null or occurs twice: no row could be told from the other.
    """

    def __init__(self, storage: Storage, location: str, key: pa.Schema, paths: Iterable[str]) -> None:
        self._storage, self._location, self._key = storage, location, key.names
        self._columns = [f"k{i}" for i in range(len(key))]
        self._numbered_schema = pa.schema([*zip(self._columns, key.types, strict=True), ("n", pa.int64())])
        self._folder = tempfile.TemporaryDirectory(prefix="hedgerow-merge-")
        self._db = duckdb.connect(
            ":memory:", config={"memory_limit": _MEMORY, "threads": "2", "temp_directory": self._folder.name}
        )
        self._paths = list(paths)

    def __enter__(self) -> Self:
        try:
            self._load()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._db.close()
        self._folder.cleanup()

    def candidates(self, table: DeltaTable) -> list[DataFile]:
        """The active files that may hold a changed key, judged by their statistics."""
        actions = log.actions_of(table)
        return [
            file for file, stats in zip(log.files_of(table), actions.to_pylist(), strict=True) if self._may_hold(stats)
        ]

    def matches(self, file: DataFile) -> pa.Int64Array:
        """The row numbers, ascending, at which a file holds a changed key."""
        self._register("held", self._numbered(file.path))
        try:
            query = f"SELECT n FROM held SEMI JOIN changed USING ({', '.join(self._columns)}) ORDER BY n"  # noqa: S608
            found = self._db.execute(query).to_arrow_table()
        finally:
            self._db.unregister("held")
        return found.column(0).combine_chunks()

    def _load(self) -> None:
        self._register("arriving", (batch for path in self._paths for batch in self._numbered(path)))
        names = ", ".join(self._columns)
        self._db.execute(f"CREATE TABLE changed AS SELECT {names} FROM arriving")  # noqa: S608 - names of our own
        self._db.unregister("arriving")
        nulls = " OR ".join(f"{name} IS NULL" for name in self._columns)
        if self._any_changed(f"WHERE {nulls}") or self._any_changed(f"GROUP BY {names} HAVING count(*) > 1"):
            raise KeyRequiredError(NOT_UNIQUE)

    def _may_hold(self, stats: dict[str, Any]) -> bool:
        conditions, values = [], []
        for column, name in zip(self._columns, self._key, strict=True):
            low, high = stats.get(f"min.{name}"), stats.get(f"max.{name}")
            if type(low) in _PRUNABLE and type(high) in _PRUNABLE:
                conditions.append(f"{column} BETWEEN ? AND ?")
                values += [low, high]
        return not conditions or self._any_changed(f"WHERE {' AND '.join(conditions)}", values)

    def _any_changed(self, clause: str, values: Sequence[Any] = ()) -> bool:
        query = f"SELECT EXISTS(SELECT 1 FROM changed {clause})"  # noqa: S608 - names of our own
        return self._db.execute(query, values).fetchall() == [(True,)]

    def _numbered(self, path: str) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in rewrite.batches(self._storage, self._location, path, columns=self._key):
            end = start + batch.num_rows
            columns = [batch.column(name) for name in self._key]
            yield pa.record_batch([*columns, pa.arange(start, end)], schema=self._numbered_schema)
            start = end

    def _register(self, name: str, numbered: Iterator[pa.RecordBatch]) -> None:
        self._db.register(name, pa.RecordBatchReader.from_batches(self._numbered_schema, numbered))
