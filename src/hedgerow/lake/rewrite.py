"""Write active files anew without some of their rows, or with a wider schema: the heart of merge and compaction."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hedgerow.lake import evolve
from hedgerow.lake.parts import FILE_BYTES, GROUP_BYTES, PartWriter
from hedgerow.lake.replay import DataFile
from hedgerow.lake.storage import Storage, storage_errors

_BATCH_ROWS = 65_536
_WORKERS = min(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class _Group:
    """A row group: the unit of work."""

    path: str
    index: int
    start: int
    rows: int


def rewrite(
    stack: ExitStack,
    storage: Storage,
    location: str,
    schema: pa.Schema,
    files: Sequence[DataFile],
    *,
    doomed: Mapping[str, pa.Int64Array] | None = None,
    keep_stats: Sequence[str] = (),
) -> list[DataFile]:
    """New files with the rows of `files` and `schema`, save the `doomed` ones (path → ascending row numbers).

    Rows keep their order, so that files go on covering narrow ranges of keys. The new files are put on `stack`, which
    deletes them when the caller fails. Memory: a row group per worker.
    """
    doomed = doomed or {}
    kept = [file for file in files if file.rows != len(doomed.get(file.path, ()))]
    groups = [group for file in kept for group in _groups(storage, location, file.path)]
    workers = max(1, min(_WORKERS, 2 * sum(file.size for file in kept) // FILE_BYTES))
    spans = [span for span in _spans(groups, workers) if span]

    def work(span: list[_Group], writer: PartWriter) -> list[DataFile]:
        for path, run in groupby(span, key=lambda group: group.path):
            for batch in batches(storage, location, path, groups=list(run), without=doomed.get(path)):
                writer.write(evolve.conform(batch, schema))
        return writer.close()

    if not spans:
        return []
    writers = [stack.enter_context(PartWriter(storage, location, schema, keep_stats)) for _ in spans]
    with ThreadPoolExecutor(len(spans)) as pool:
        return [file for written in pool.map(work, spans, writers) for file in written]


def batches(
    storage: Storage,
    location: str,
    path: str,
    *,
    columns: list[str] | None = None,
    groups: Sequence[_Group] | None = None,
    without: pa.Int64Array | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of one file (or of adjacent row groups of it) in order, save the row numbers `without` (ascending)."""
    with storage_errors(), storage.filesystem().open_input_file(f"{storage.path(location)}/{path}") as source:
        file = pq.ParquetFile(source, pre_buffer=not storage.is_local)
        start = groups[0].start if groups else 0
        indexes = [group.index for group in groups] if groups else None
        for batch in file.iter_batches(_batch_rows(file.metadata), indexes, columns, use_threads=False):
            end = start + batch.num_rows
            yield batch if without is None else _without(batch, start, without)
            start = end


def _without(batch: pa.RecordBatch, start: int, numbers: pa.Int64Array) -> pa.RecordBatch:
    """The batch, whose rows are numbered from `start`, without some of them."""
    end = start + batch.num_rows
    first, last = (pc.search_sorted(numbers, bound).as_py() for bound in (start, end))
    if first == last:
        return batch
    gone = pc.is_in(pa.arange(start, end), value_set=numbers.slice(first, last - first))
    return batch.filter(pc.invert(gone))


def _groups(storage: Storage, location: str, path: str) -> Iterator[_Group]:
    with storage_errors(), storage.filesystem().open_input_file(f"{storage.path(location)}/{path}") as source:
        metadata = pq.read_metadata(source)
    start = 0
    for index in range(metadata.num_row_groups):
        rows = metadata.row_group(index).num_rows
        yield _Group(path, index, start, rows)
        start += rows


def _spans(groups: Sequence[_Group], count: int) -> list[list[_Group]]:
    """Cut into `count` runs of about as many rows."""
    spans: list[list[_Group]] = [[] for _ in range(count)]
    total, seen = sum(group.rows for group in groups), 0
    for group in groups:
        spans[seen * count // total if total else 0].append(group)
        seen += group.rows
    return spans


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Rows per batch, fewer when they are wide."""
    size: int = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    rows: int = metadata.num_rows
    return max(1, min(_BATCH_ROWS, GROUP_BYTES // max(1, 2 * size // max(1, rows))))
