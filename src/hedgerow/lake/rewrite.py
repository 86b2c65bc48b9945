"""Write active files anew without some of their rows, or with a wider schema: the heart of merge and compaction."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import Empty, SimpleQueue

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from hedgerow.lake import evolve
from hedgerow.lake.log import DataFile
from hedgerow.lake.parts import GROUP_BYTES, PartWriter
from hedgerow.lake.storage import Storage

_BATCH_ROWS = 65_536
_WORKERS = min(2, os.cpu_count() or 1)


def rewrite(
    stack: ExitStack,
    storage: Storage,
    location: str,
    schema: pa.Schema,
    files: Sequence[DataFile],
    *,
    doomed: Mapping[str, pa.Int64Array] | None = None,
    keep_stats: Sequence[str] = (),
) -> list[AddAction]:
    """The actions that add the rows of `files` with `schema`, save the `doomed` ones (path → ascending row numbers).

    The new files are put on `stack`, which deletes them when the caller fails. Memory: a row group per worker.
    """
    doomed = doomed or {}
    waiting: SimpleQueue[DataFile] = SimpleQueue()
    for file in sorted((f for f in files if f.rows != len(doomed.get(f.path, ()))), key=lambda f: -f.size):
        waiting.put(file)
    workers = min(_WORKERS, waiting.qsize())
    writers = [stack.enter_context(PartWriter(storage, location, schema, keep_stats)) for _ in range(workers)]

    def work(writer: PartWriter) -> list[AddAction]:
        while True:
            try:
                file = waiting.get_nowait()
            except Empty:
                return writer.close()
            for batch in batches(storage, location, file.path, without=doomed.get(file.path)):
                writer.write(evolve.conform(batch, schema))

    if not writers:
        return []
    with ThreadPoolExecutor(workers) as pool:
        return [action for actions in pool.map(work, writers) for action in actions]


def batches(
    storage: Storage,
    location: str,
    path: str,
    *,
    columns: list[str] | None = None,
    without: pa.Int64Array | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of one file in order, save the row numbers `without` (ascending)."""
    with storage.filesystem().open_input_file(f"{storage.path(location)}/{path}") as source:
        file = pq.ParquetFile(source, pre_buffer=not storage.is_local)
        start = at = 0
        for batch in file.iter_batches(_batch_rows(file.metadata), columns=columns, use_threads=False):
            end = start + batch.num_rows
            if without is None:
                yield batch
            else:
                upto = pc.search_sorted(without, end).as_py()
                gone = without.slice(at, upto - at)
                yield batch.filter(pc.invert(pc.is_in(pa.arange(start, end), value_set=gone))) if len(gone) else batch
                at = upto
            start = end


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Rows per batch, fewer when they are wide."""
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    width = max(1, 2 * size // max(1, metadata.num_rows))
    return max(1, min(_BATCH_ROWS, GROUP_BYTES // width))
