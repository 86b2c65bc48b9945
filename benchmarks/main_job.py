"""The sizes the main job must reach: PostgreSQL to a committed Delta table, small reloads, start, idle, the API.

    python -m benchmarks.main_job [--rows 5000000] [--runs 3] [--json FILE]

Starts its own PostgreSQL and its own Hedgerow. Every throughput is given as a ratio to `psql -c 'COPY … (FORMAT
binary)'` to nowhere, measured alternately in the same run, since the machine's mood moves both.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.support.postgres import PostgresDatabase, PostgresServer, binaries
from tests.support.server import Server

from benchmarks.measuring import PeakMemory, cpu_seconds, memory_mib, spread, table

ORDERS = """
create table {name} as
select i::bigint as id, (i::bigint * 7919 % 200000)::int as customer_id, (i % 7)::smallint as channel,
       (array['new','paid','sent','done','back'])[1 + i % 5] as status,
       case when i % 3 = 0 then null else 'SKU-' || lpad((i::bigint * 31 % 99999)::text, 6, '0') end as sku,
       (i::bigint * 37 % 1000000 / 100.0)::numeric(18,4) as amount, (i % 100)::float8 / 7 as rate,
       1 + i % 20 as quantity, i % 11 = 0 as gift,
       date '2020-01-01' + (i % 2000)::int as ordered_on,
       timestamptz '2020-01-01 00:00:00+00' + i * interval '7.3 seconds' as created_at,
       timestamptz '2020-01-02 00:00:00+00' + i * interval '7.3 seconds' as updated_at,
       jsonb_build_object('src', i % 9, 'tags', jsonb_build_array(i % 3, 'x')) as attrs,
       md5(i::text)::uuid as ref
from generate_series(1, {rows}) i;
alter table {name} add primary key (id);
analyze {name};
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results: dict[str, Any] = {"rows": arguments.rows}
    with PostgresServer({"shared_buffers": "4GB", "max_wal_size": "8GB", "timezone": "UTC"}) as postgres:
        database = postgres.create_database()
        database.execute(ORDERS.format(name="orders", rows=arguments.rows))
        database.execute(ORDERS.format(name="small", rows=10_000))
        database.execute("vacuum orders")
        with Server() as server:
            results |= _start_and_idle(server)
            source = _connect(server, database)
            results |= _full(server, source, database, arguments.runs)
            results |= _small(server, source)
            results |= _incremental(server, source, database)
            results |= _api(server, source)
    rows = [["what", "measured"], *([name, str(value)] for name, value in results.items())]
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def _start_and_idle(server: Server) -> dict[str, Any]:
    starts = []
    for _ in range(3):
        server.stop()
        starts.append(server.start())
    time.sleep(10)
    before, began = cpu_seconds(server.processes()), time.monotonic()
    time.sleep(30)
    spent = (cpu_seconds(server.processes()) - before) / (time.monotonic() - began)
    return {
        "start to ready, s": spread(starts),
        "idle memory, MiB": round(memory_mib(server.processes())),
        "idle CPU, % of one core": round(100 * spent, 2),
    }


def _connect(server: Server, database: PostgresDatabase) -> str:
    schemas = [{"name": name, "should_sync": False, "sync_type": "full_refresh"} for name in ("orders", "small")]
    body = {"source_type": "Postgres", "payload": {**database.settings(), "schemas": schemas}}
    source: str = server.api("POST", "external_data_sources/", body)["id"]
    return source


def _schema(server: Server, source: str, name: str) -> dict[str, Any]:
    schemas = server.api("GET", f"external_data_sources/{source}/")["schemas"]
    found: dict[str, Any] = next(s for s in schemas if s["name"] == name)
    return found


def _reload(server: Server, source: str, name: str, every: float = 0.1) -> float:
    """Seconds from asking to Completed, as a client that looks every so often sees it."""
    path = f"external_data_schemas/{_schema(server, source, name)['id']}/"
    began = time.perf_counter()
    server.api("POST", f"{path}reload/")
    schema = server.until(lambda: (s := server.api("GET", path))["status"] != "Running" and s, 600, every)
    assert schema["status"] == "Completed", schema
    return time.perf_counter() - began


def _copy_to_nowhere(database: PostgresDatabase) -> float:
    began = time.perf_counter()
    command = [str(binaries() / "psql"), database.dsn, "-qc", "copy orders to stdout (format binary)"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _full(server: Server, source: str, database: PostgresDatabase, runs: int) -> dict[str, Any]:
    _copy_to_nowhere(database)
    limit, ours, memory = [], [], []
    for _ in range(runs):
        limit.append(_copy_to_nowhere(database))
        with PeakMemory(server.processes) as peak:
            ours.append(_reload(server, source, "orders"))
        memory.append(peak.mib)
    assert (
        server.sql("select count(*) from postgres_orders")[0][0]
        == database.execute("select count(*) from orders")[0][0]
    )
    return {
        "COPY binary to nowhere, s": spread(limit),
        "full refresh to Completed, s": spread(ours),
        "throughput against COPY (target 0.85)": round(statistics.median(limit) / statistics.median(ours), 2),
        "peak memory of all processes, MiB (target 700)": round(max(memory)),
    }


def _small(server: Server, source: str) -> dict[str, Any]:
    _reload(server, source, "small")
    return {
        "10,000 rows, reload to Completed, s (target 1.5)": spread(
            [_reload(server, source, "small") for _ in range(10)]
        )
    }


def _incremental(server: Server, source: str, database: PostgresDatabase) -> dict[str, Any]:
    schema = _schema(server, source, "orders")["id"]
    changes = {"sync_type": "incremental", "incremental_field": "updated_at", "incremental_field_type": "timestamp"}
    server.api("PATCH", f"external_data_schemas/{schema}/", changes)
    _reload(server, source, "orders")
    nothing = _reload(server, source, "orders")
    results: dict[str, Any] = {"incremental, nothing changed, s": round(nothing, 2)}
    for name, where in (("scattered", "id % 100 = 7"), ("clustered", "id > (select max(id) * 99 / 100 from orders)")):
        database.execute(f"update orders set updated_at = clock_timestamp(), quantity = quantity + 1 where {where}")
        with PeakMemory(server.processes) as peak:
            seconds = _reload(server, source, "orders")
        results[f"incremental, 1 % {name}, s"] = round(seconds, 2)
        results[f"incremental, 1 % {name}, peak MiB"] = round(peak.mib)
    ours = server.sql("select sum(quantity), count(*) from postgres_orders")[0]
    theirs = database.execute("select sum(quantity)::bigint, count(*) from orders")[0]
    assert [int(x) for x in ours] == list(theirs), (ours, theirs)
    return results


def _api(server: Server, source: str) -> dict[str, Any]:
    time.sleep(5)  # tidying after the last run is over
    times = []
    for _ in range(300):
        began = time.perf_counter()
        server.api("GET", f"external_data_sources/{source}/")
        times.append(1000 * (time.perf_counter() - began))
    times.sort()
    return {"retrieve of a source, p95 ms (target 25)": round(times[int(len(times) * 0.95)], 1)}


if __name__ == "__main__":
    main()
