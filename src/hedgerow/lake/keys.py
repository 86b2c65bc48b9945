"""Find the rows that a merge replaces: which files can hold a changed key, and at which row numbers they do.

DuckDB matches the keys, because it takes every type and any number of columns, skips what its statistics rule out, and
spills to disk when they are many.
"""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from hedgerow.core.errors import KeyRequiredError
from hedgerow.lake import duck, types
from hedgerow.lake.replay import DataFile
from hedgerow.lake.spill import SpillFolder
from hedgerow.lake.storage import Storage

_MEMORY: Final = "128MiB"
NOT_UNIQUE: Final = "The primary keys for this table are not unique"


class ChangedKeys:
    """The keys (columns `key`) of the rows in `paths`, files just written. A context: it keeps a small database.

    Raises KeyRequiredError when a key is null or occurs twice: no row could be told from the other.
    """

    def __init__(self, storage: Storage, location: str, key: pa.Schema, paths: Iterable[str]) -> None:
        self._base, self._key = storage.uri(location), key
        self._folder = SpillFolder()
        self._db = duck.connect(storage, memory_limit=_MEMORY, threads=2, temp_directory=self._folder.path)
        self._names = ", ".join(map(duck.quoted, key.names))
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
        self._folder.close()

    def matches(self, files: Iterable[DataFile], schema: pa.Schema) -> dict[str, pa.Int64Array]:
        """The row numbers, ascending, at which files hold a changed key; only files that hold one.

        `schema` is that of the files: a column of the key may be narrower there, or not be there yet.
        """
        candidates = [file.path for file in files if self._may_hold(file.stats)]
        if not candidates or not set(self._key.names) <= set(schema.names):
            return {}
        found = self._db.execute(
            f"SELECT file_index, file_row_number FROM {self._scan(candidates)} held "  # noqa: S608 - quoted names
            f"SEMI JOIN changed ON {' AND '.join(self._equal(field, schema) for field in self._key)} ORDER BY ALL"
        ).to_arrow_table()
        return dict(_by_file(candidates, found.combine_chunks()))

    def _load(self) -> None:
        self._db.execute(f"CREATE TABLE changed AS SELECT {self._names} FROM {self._scan(self._paths)}")  # noqa: S608
        nulls = " OR ".join(f"{duck.quoted(name)} IS NULL" for name in self._key.names)
        if self._any_changed(f"WHERE {nulls}") or self._any_changed(f"GROUP BY {self._names} HAVING count(*) > 1"):
            raise KeyRequiredError(NOT_UNIQUE)

    def _may_hold(self, stats: dict[str, Any]) -> bool:
        """Whether a changed key lies within the bounds of a file."""
        conditions, values = [], []
        for field in self._key:
            low, high = (stats.get(bound, {}).get(field.name) for bound in ("minValues", "maxValues"))
            if low is not None and high is not None and _is_exact(field.type):
                bound = f"CAST(? AS {types.duckdb(field.type)})"
                conditions.append(f"{duck.quoted(field.name)} BETWEEN {bound} AND {bound}")
                values += [low, high]
        return not conditions or self._any_changed(f"WHERE {' AND '.join(conditions)}", values)

    def _equal(self, field: pa.Field, schema: pa.Schema) -> str:
        name = duck.quoted(field.name)
        is_same = schema.field(field.name).type == field.type
        held = f"held.{name}" if is_same else f"CAST(held.{name} AS {types.duckdb(field.type)})"
        return f"{held} = changed.{name}"

    def _any_changed(self, clause: str, values: Sequence[Any] = ()) -> bool:
        query = f"SELECT EXISTS(SELECT 1 FROM changed {clause})"  # noqa: S608 - names of our own
        return self._db.execute(query, values).fetchall() == [(True,)]

    def _scan(self, paths: Iterable[str]) -> str:
        return duck.scan(f"{self._base}/{path}" for path in paths)


def _is_exact(type_: pa.DataType) -> bool:
    """Whether bounds of the type are kept as they are; those of others are rounded."""
    return bool(t.is_integer(type_) or t.is_string(type_) or t.is_date(type_))


def _by_file(paths: Sequence[str], found: pa.Table) -> Iterable[tuple[str, pa.Int64Array]]:
    indexes, rows = (found.column(name).combine_chunks() for name in found.column_names)
    runs = pc.run_end_encode(indexes)
    start = 0
    for index, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield paths[index], rows.slice(start, end - start).cast(pa.int64())
        start = end
