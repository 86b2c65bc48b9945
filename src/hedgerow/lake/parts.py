"""Stream record batches into Parquet files that no reader knows of until a commit names them."""

import contextlib
import datetime
import decimal
import math
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as t

from hedgerow.core.errors import AppError
from hedgerow.lake import log
from hedgerow.lake.replay import DataFile
from hedgerow.lake.storage import Storage, storage_errors, sync_to_disk

FILE_BYTES = 64 * 2**20  # a merge rewrites the files it touches: smaller ones make it cheaper, larger ones fewer
GROUP_ROWS = 122_880  # what DuckDB scans as one unit
GROUP_BYTES = 64 * 2**20  # of Arrow memory; wide rows make shorter row groups
_SAMPLE_ROWS = 10_000
_WIDE_VALUE = 128  # bytes; longer values hardly repeat, and looking for repeats is dear
_STATS_COLUMNS = 32  # Delta's default
_STATS_TEXT = 64
_EXACT_DIGITS = 15  # of a decimal that survives a JSON reader's float


class PartWriter:
    """Writes batches of `schema` as Parquet files of about FILE_BYTES. Memory: one row group.

    A context: leaving it with an exception deletes what was written, except files that a commit has named.
    Raises BrokenError when the storage fails, ConflictError when the table's folder is deleted meanwhile.
    `close()` gives the files; then every one is complete, and on the disk if the storage is a local folder.
    """

    def __init__(self, storage: Storage, location: str, schema: pa.Schema, keep_stats: Sequence[str] = ()) -> None:
        self._storage, self._location, self._schema = storage, location, schema
        self._filesystem = storage.filesystem()
        self._filesystem.create_dir(storage.path(location), recursive=True)
        self._stats_columns = {*schema.names[:_STATS_COLUMNS], *keep_stats}
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._pending_bytes = 0
        self._file: _OpenFile | None = None
        self._names: list[str] = []
        self._files: list[DataFile] = []
        self._syncer = ThreadPoolExecutor(1)
        self._syncs: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if error is not None:
                self._discard()
        finally:
            self._syncer.shutdown()

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch; encode when a row group is full."""
        self._pending.append(batch)
        self._pending_rows += batch.num_rows
        self._pending_bytes += batch.nbytes
        if self._pending_rows >= GROUP_ROWS or self._pending_bytes >= GROUP_BYTES:
            with storage_errors():
                self._flush()

    def close(self, *, at_least_one: bool = False) -> list[DataFile]:
        """Finish the last file. `at_least_one`: without rows, write one file that only holds the schema."""
        with storage_errors():
            if self._pending_rows:
                self._flush()
            if at_least_one and not self._names:
                self._open(self._schema.empty_table())
            self._close_file()
            for sync in self._syncs:
                sync.result()
        return self._files

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._pending, self._schema)
        groups = max(round(table.num_rows / GROUP_ROWS), math.ceil(self._pending_bytes / (2 * GROUP_BYTES)), 1)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        file = self._file or self._open(table)
        file.writer.write_table(table, row_group_size=math.ceil(table.num_rows / groups))
        if file.sink.tell() >= FILE_BYTES:
            self._close_file()

    def _open(self, table: pa.Table) -> "_OpenFile":
        name = f"part-{uuid.uuid4().hex}.parquet"
        self._names.append(name)
        sink = self._filesystem.open_output_stream(f"{self._storage.path(self._location)}/{name}")
        self._file = _OpenFile(name, sink, table)
        return self._file

    def _close_file(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        metadata = file.close()
        stats = _stats(metadata, self._schema, self._stats_columns)
        self._files.append(DataFile(file.name, file.sink_size, stats))
        if self._storage.is_local:
            path = Path(self._storage.path(self._location)) / file.name
            self._syncs.append(self._syncer.submit(sync_to_disk, path))

    def _discard(self) -> None:
        """Delete the files, but none that the table's newest version names: the commit may have landed after all."""
        if self._file is not None:
            self._file.writer.is_open = False  # or it tries to end the file once more, and complains, when collected
            self._file.sink.close()
        try:
            table = log.open_table(self._storage, self._location)
        except AppError:
            return  # not known: what is not named is an orphan, which tidying removes
        named = {f.path for f in log.files_of(self._storage, self._location, table)} if table else set()
        for name in self._names:
            if name not in named:
                with contextlib.suppress(FileNotFoundError):
                    self._filesystem.delete_file(f"{self._storage.path(self._location)}/{name}")


class _OpenFile:
    """A Parquet file being written, with encodings chosen by its first rows."""

    def __init__(self, name: str, sink: pa.NativeFile, first: pa.Table) -> None:
        self.name, self.sink, self.sink_size = name, sink, 0
        self._metadata: list[pq.FileMetaData] = []
        dictionary, packed = _encodings(first)
        self.writer = pq.ParquetWriter(
            sink,
            first.schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=dictionary or False,
            column_encoding=dict.fromkeys(packed, "DELTA_BINARY_PACKED") or None,
            store_decimal_as_integer=True,
            store_schema=False,
            metadata_collector=self._metadata,
        )

    def close(self) -> pq.FileMetaData:
        """Write the footer; returns it."""
        self.writer.close()
        self.sink_size = self.sink.tell()
        self.sink.close()
        return self._metadata[0]


def _encodings(table: pa.Table) -> tuple[list[str], list[str]]:
    """(columns to dictionary-encode, columns to pack as differences), judged by a sample.

    Trying a dictionary where values do not repeat costs twice the time of the rest of the encoding; packed integers are
    smaller and faster than plain ones, to write as to read.
    """
    dictionary, packed = [], []
    for name, column in zip(table.schema.names, table.columns, strict=True):
        sample = column.slice(0, _SAMPLE_ROWS)
        if t.is_boolean(column.type) or sample.nbytes > _WIDE_VALUE * max(1, len(sample)):
            continue
        if pc.count_distinct(sample).as_py() * 4 <= len(sample):
            dictionary.append(name)
        elif _is_packable(column.type):
            packed.append(name)
    return dictionary, packed


def _is_packable(type_: pa.DataType) -> bool:
    """Whether Parquet stores the type as a 32- or 64-bit integer."""
    small_decimal = t.is_decimal(type_) and type_.precision <= 18
    return bool(t.is_integer(type_) or t.is_date(type_) or t.is_timestamp(type_) or small_decimal)


def _stats(metadata: pq.FileMetaData, schema: pa.Schema, columns: set[str]) -> dict[str, Any]:
    """Delta's statistics of one file from its Parquet footer: what readers and merges skip files by."""
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    for index, field in enumerate(schema):
        if field.name not in columns or not groups:
            continue
        chunks = [group.column(index).statistics for group in groups]
        if any(chunk is None or not chunk.has_null_count for chunk in chunks):
            continue
        nulls[field.name] = sum(chunk.null_count for chunk in chunks)
        bounds = _bounds(field.type, [c for c in chunks if c.has_min_max or c.num_values])
        if bounds is not None:
            low[field.name], high[field.name] = bounds
    return {"numRecords": metadata.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls}


def _bounds(type_: pa.DataType, chunks: list[Any]) -> tuple[Any, Any] | None:
    """(least, greatest) value in Delta's JSON form; None when a bound is unknown or would not be a true bound.

    Floats have none: Parquet's bounds leave out NaN, which Delta counts as the greatest.
    """
    if not chunks or not all(c.has_min_max for c in chunks) or t.is_floating(type_) or t.is_boolean(type_):
        return None
    try:
        low, high = min(c.min for c in chunks), max(c.max for c in chunks)
    except (OverflowError, ValueError):  # a date that Python cannot hold
        return None
    if isinstance(low, datetime.datetime):
        up = datetime.timedelta(milliseconds=1) if high.microsecond % 1000 and high.year < datetime.MAXYEAR else None
        return _instant(low), _instant(high + up if up else high)
    if isinstance(low, datetime.date):
        return low.isoformat(), high.isoformat()
    if isinstance(low, decimal.Decimal):
        exact = all(len(v.as_tuple().digits) <= _EXACT_DIGITS for v in (low, high))
        return (float(low), float(high)) if exact else None
    if isinstance(low, str):
        return (low, high) if max(len(low), len(high)) <= _STATS_TEXT else None
    return (low, high) if isinstance(low, int) else None


def _instant(value: datetime.datetime) -> str:
    """Delta's time stamps in statistics end at milliseconds; an upper bound was rounded up by the caller."""
    return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + ("Z" if value.tzinfo else "")
