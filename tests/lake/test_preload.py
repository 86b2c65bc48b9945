"""A query process is forked with all it needs already loaded: an import costs each query more than its work."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from hedgerow.lake import preload
loaded = set(sys.modules)
import pyarrow as pa
from hedgerow.lake import duck, read
from hedgerow.lake.storage import Storage
pa.parquet.write_table(pa.table({"id": pa.array([1, 2, 3], pa.int64())}), sys.argv[1])
column = read.Column("id", "BIGINT", "integer")
snapshot = read.Snapshot(1, [sys.argv[1]], (column,), 2, {sys.argv[1]: pa.array([1], pa.int64())})
with duck.connect(Storage("/")) as connection:
    duck.create_view(connection, "merged", snapshot)
    print(*sorted(row[0] for row in connection.execute("SELECT id FROM merged").fetchall()))
print(*sorted(set(sys.modules) - loaded))
"""


def test_reading_a_table_with_deleted_rows_imports_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "part.parquet")]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["1 3", ""]
