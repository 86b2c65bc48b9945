import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from hedgerow.lake import write
from hedgerow.lake.storage import Storage
from tests.lake.tables import PLACE, content, facts, files, merge, rows


def test_a_merge_writes_the_changes_and_no_file_anew(storage: Storage) -> None:
    for fence, start in enumerate([0, 100, 200], start=1):
        merge(storage, fence, pa.table({"id": range(start, start + 100), "v": ["old"] * 100}))
    before = files(storage)
    merge(storage, 4, pa.table({"id": [150, 300], "v": ["new"] * 2}))
    active = {Path(uri).name for uri in DeltaTable(storage.uri(PLACE)).file_uris()}
    assert active > before
    assert len(active - before) == 1
    assert [row["id"] for row in rows(storage) if row["v"] == "new"] == [150, 300]
    assert len(rows(storage)) == 301


@pytest.mark.parametrize("changed", [range(0, 2000, 7), range(900, 1100), range(2000), [], [1999]], ids=str)
def test_a_merge_finds_its_rows_across_files_and_row_groups(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, changed: Sequence[int]
) -> None:
    monkeypatch.setattr("hedgerow.lake.parts.GROUP_ROWS", 64)
    monkeypatch.setattr("hedgerow.lake.parts.FILE_BYTES", 5_000)
    monkeypatch.setattr("hedgerow.lake.rewrite.FILE_BYTES", 1)
    monkeypatch.setattr("hedgerow.lake.rewrite._BATCH_ROWS", 50)
    old = pa.table({"id": range(2000), "v": [f"old {n * 2654435761 % 2**32}" for n in range(2000)]})
    batches = old.to_batches(50)
    write.merge(storage, PLACE, old.schema, batches, facts(1), lambda _n: None, ["id"])
    assert len(files(storage)) > 3
    ids = [*changed, 5000]
    merge(storage, 2, pa.table({"id": ids, "v": ["new"] * len(ids)}))
    assert {row["id"] for row in rows(storage) if row["v"] == "new"} == set(ids)
    assert [row["id"] for row in rows(storage)] == [*range(2000), 5000]


def test_large_files_are_cut_and_hold_large_row_groups(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.lake.parts.FILE_BYTES", 100_000)
    monkeypatch.setattr("hedgerow.lake.parts.GROUP_ROWS", 10_000)
    table = pa.table({"id": range(100_000)}).to_batches(3_000)
    noise = [
        pa.record_batch({"id": b["id"], "v": pa.array([f"{n * 2654435761 % 2**32:x}" for n in b["id"].to_pylist()])})
        for b in table
    ]
    write.replace(storage, PLACE, noise[0].schema, noise, facts(1), lambda _n: None)
    uris = DeltaTable(storage.uri(PLACE)).file_uris()
    metadata = [pq.read_metadata(uri) for uri in uris]
    sizes = [m.row_group(i).num_rows for m in metadata for i in range(m.num_row_groups)]
    assert len(uris) >= 3
    assert sorted(sizes)[1] >= 10_000
    assert content(storage).num_rows == 100_000


MEMORY = """
import resource, sys, pyarrow as pa
from hedgerow.lake import write, read, keys
from hedgerow.lake.storage import Storage

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def batches(count, rows, text):
    for n in range(count):
        yield pa.record_batch({"id": pa.array(range(n * rows, (n + 1) * rows)), "v": pa.array([text + str(n)] * rows)})

storage, schema = Storage(sys.argv[1]), pa.schema([("id", pa.int64()), ("v", pa.string())])
count, rows, text = {"long": (60, 50_000, "x" * 100), "wide": (120, 2, "y" * 5_000_000)}[sys.argv[2]]
start = peak()
write.replace(storage, "t", schema, batches(count, rows, text), lambda: write.CommitFacts("r", 1), lambda n: None)
replaced = peak() - start
changes = list(batches(count, 1, text)) if sys.argv[2] == "long" else batches(2, rows, text)
write.merge(storage, "t", schema, changes, lambda: write.CommitFacts("r", 2), lambda n: None, ["id"])
print(replaced, peak() - start, flush=True)
"""


@pytest.mark.parametrize("shape", ["long", "wide"])
def test_memory_does_not_grow_with_the_table(storage: Storage, shape: str) -> None:
    """3,000,000 rows of 100 bytes, then 240 rows of 5 MB: 300 MB and 1.2 GB of values."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, storage.url, shape], capture_output=True, text=True, check=True
    )
    replaced, merged = map(int, done.stdout.split())
    assert replaced < 200
    assert merged < 450
