"""Values of 10 MB beside small ones: they arrive whole, and the memory for them does not grow with the table."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl

from hedgerow.lake.storage import Storage
from tests.support.postgres import PostgresDatabase

ROWS = 30
MOST_MIB = 850
"""All values together are 900 MB, and about 250 MiB are the libraries. Measured: 515 to 709, for 8 rows as for 40."""
SCRIPT = """
import json, resource, sys
from hedgerow.connectors.contract import ReadRequest
from hedgerow.lake import write
from hedgerow.lake.storage import Storage
from hedgerow.lake.write import CommitFacts
from tests.connectors.kits.sql.reading import ANYWHERE, POSTGRES
settings, place = json.loads(sys.argv[1]), sys.argv[2]
with POSTGRES.read(settings, ANYWHERE, ReadRequest("t", memory_mib=128)) as reading:
    facts = lambda: CommitFacts("run", 1)
    write.replace(Storage(place), "1/t", reading.schema, reading.batches, facts, lambda rows: None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_values_of_10_mb_arrive_whole_in_bounded_memory(pg_database: PostgresDatabase, tmp_path: Path) -> None:
    pg_database.execute(f"""
        create table t (id int, small text, doc text, raw bytea, tree json);
        alter table t alter doc set storage external, alter raw set storage external, alter tree set storage external;
        insert into t select i, 'x' || i, repeat(md5(i::text), 312500),
          convert_to(repeat(md5(i || 'b'), 312500), 'UTF8'), to_json(repeat(md5(i || 'j'), 312500))
          from generate_series(1, {ROWS}) i;
    """)
    command = [sys.executable, "-c", SCRIPT, json.dumps(pg_database.settings()), str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < MOST_MIB
    asked = "select id, small, md5(doc), md5(raw), md5(tree::text) from t order by id"
    assert arrived(tmp_path) == pg_database.execute(asked)


def arrived(folder: Path) -> list[tuple[object, ...]]:
    import hashlib

    def digest(value: str | bytes) -> str:
        return hashlib.md5(value.encode() if isinstance(value, str) else value, usedforsecurity=False).hexdigest()

    rows = pl.read_delta(Storage(str(folder)).uri("1/t")).sort("id").rows()
    return [(number, small, *map(digest, values)) for number, small, *values in rows]
