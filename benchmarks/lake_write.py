"""How fast the lake writes, without any source: `python -m benchmarks.lake_write [rows]` (5,000,000 unless told).

Made-up orders of 14 columns go into a table in a temporary folder: replaced as a whole, then 1 % of the rows merged,
scattered over the keys and clustered at their end, then a run without rows. Prints wall and CPU seconds and the peak
memory of each step, which runs in a process of its own; making the rows up is measured too and not taken off.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context

import duckdb
import pyarrow as pa

from hedgerow.lake import write
from hedgerow.lake.storage import Storage

_PLACE = "1/orders"
_ORDERS = """
SELECT i::BIGINT id, (hash(i) % 262144)::INTEGER customer_id, (i % 500)::SMALLINT store_id,
  (['new', 'paid', 'packed', 'shipped', 'delivered', 'returned'])[1 + (hash(i + 1) % 6)::INTEGER] status,
  CASE WHEN i % 10 >= 2 THEN (['web', 'app', 'phone', 'marketplace'])[1 + (hash(i + 2) % 4)::INTEGER] END channel,
  ((hash(i + 3) % 16777216)::DECIMAL(18, 4) / 1000)::DECIMAL(18, 4) amount,
  CASE WHEN i % 7 > 0 THEN ((hash(i + 4) % 1048576)::DOUBLE / 9999)::DECIMAL(18, 4) END tax,
  CASE WHEN i % 5 > 0 THEN (hash(i + 5) % 1024)::DOUBLE / 1024 END discount,
  (1 + hash(i + 6) % 16)::INTEGER quantity, hash(i + 7) % 16 = 0 is_gift,
  DATE '2021-01-01' + (i // 3000)::INTEGER % 1800 order_date,
  TIMESTAMPTZ '2021-01-01 00:00:00+00' + to_microseconds((i * 31700000)::BIGINT) created_at,
  TIMESTAMPTZ '2021-01-01 00:00:00+00' + to_seconds((i * 31.7 + hash(i + 9) % 1048576)::BIGINT) updated_at,
  CASE WHEN i % 10 >= 3 THEN 'order note ' || i || ' ' || repeat(md5(i::VARCHAR) || ' ', 1 + (i % 4)::INTEGER) END note
FROM range(1, {rows} + 1) t(i) WHERE {condition}
"""


def main() -> None:
    """Run every step and print a line for each."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    steps = {
        "making the rows up alone": (None, "true"),
        "replace": (False, "true"),
        "merge 1 %, scattered": (True, "i % 100 = 7"),
        "merge 1 %, clustered": (True, f"i > {rows} * 0.99"),
        "merge nothing": (True, "false"),
    }
    print("| step | wall s | CPU s | peak MiB | rows now |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for fence, (name, (merges, condition)) in enumerate(steps.items(), start=1):
            print(pool.apply(_measured, (name, folder, fence, merges, rows, condition)))


def _measured(name: str, folder: str, fence: int, merges: bool | None, rows: int, condition: str) -> str:
    with duckdb.connect(config={"threads": "1"}) as db:
        db.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        wall, cpu = time.perf_counter(), time.process_time()
        reader = db.execute(_ORDERS.format(rows=rows, condition=condition)).to_arrow_reader(65_536)
        count = _write(Storage(folder), fence, merges, reader)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return f"| {name} | {wall:.2f} | {cpu:.2f} | {peak} | {count:,} |"


def _write(storage: Storage, fence: int, merges: bool | None, reader: pa.RecordBatchReader) -> int:
    if merges is None:
        return sum(batch.num_rows for batch in reader)
    finish: Callable[[], write.CommitFacts] = lambda: write.CommitFacts("benchmark", fence)  # noqa: E731
    batches: Iterator[pa.RecordBatch] = iter(reader)
    if merges:
        return write.merge(storage, _PLACE, reader.schema, batches, finish, lambda _n: None, ["id"]).row_count
    return write.replace(storage, _PLACE, reader.schema, batches, finish, lambda _n: None).row_count


if __name__ == "__main__":
    main()
