"""The sizes the main job must reach: PostgreSQL to a committed Delta table, small reloads, start, idle, the API.

    python -m benchmarks.main_job [--rows 5000000] [--runs 3] [--write]

Starts its own PostgreSQL and its own Hedgerow. Every throughput is given as a ratio to `psql -c 'COPY … (FORMAT
binary)'` to nowhere, measured alternately in the same run, since the machine's mood moves both.
"""

import argparse
import statistics
import time
from collections.abc import Iterator

from tests.support.postgres import PostgresDatabase
from tests.support.server import Server

from benchmarks import orders
from benchmarks.measuring import circumstances, cpu_seconds, memory_mib, progress, publish, spread, table
from benchmarks.orders import Client, Cost, median

Row = tuple[str, str, str]  # what, measured, target

_NOTES = """\
Figures with brackets are medians (least to greatest). Memory is the proportional set size (shared pages count once) of
all Hedgerow processes, sampled every 0.2 s, so a shorter peak can be missed; the greatest is given. "Work" is by the
job's own times, from its creation to its end; the other seconds end when a client that looks every 0.1 s sees it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    arguments = parser.parse_args()
    rows: list[Row] = []
    with orders.postgres() as postgres, Server() as server:
        for row in _measured(server, postgres.create_database(), arguments.rows, arguments.runs):
            progress(f"{row[0]}: {row[1]}")
            rows.append(row)
    command = f"python -m benchmarks.main_job --rows {arguments.rows} --runs {arguments.runs}"
    text = table([("what", "measured", "target"), *rows])
    publish("main job", "\n\n".join([circumstances(command), text, _NOTES]), arguments.write)


def _measured(server: Server, database: PostgresDatabase, rows: int, runs: int) -> Iterator[Row]:
    yield from _start_and_idle(server)
    orders.fill(database, "orders", rows)
    orders.fill(database, "small", orders.SMALL)
    client = Client(server, database, ("orders", "small"))
    full: list[Cost] = []
    yield from _full(client, database, runs, full)
    client.reload("small")
    small = [client.reload("small").wall for _ in range(10)]
    yield "10,000 rows, from `reload` to Completed", f"{spread(small)} s", "≤ 1.5 s"
    client.by_cursor("orders")
    client.reload("orders")
    yield from _incremental(client, database, runs, median(full), "no index on the cursor")
    orders.index_cursor(database)
    yield from _incremental(client, database, runs, median(full), "an index on the cursor")
    yield from _api(client)


def _start_and_idle(server: Server) -> Iterator[Row]:
    starts = []
    for _ in range(3):
        server.stop()
        starts.append(server.start())
    yield "start to ready", f"{spread(starts)} s", "< 3 s"
    time.sleep(10)
    before, began = cpu_seconds(server.processes()), time.monotonic()
    time.sleep(30)
    spent = (cpu_seconds(server.processes()) - before) / (time.monotonic() - began)
    yield "idle memory", f"{memory_mib(server.processes()):.0f} MiB", "< 300 MiB"
    yield "idle CPU, of one core", f"{100 * spent:.2f} %", "< 1 %"


def _full(client: Client, database: PostgresDatabase, runs: int, costs: list[Cost]) -> Iterator[Row]:
    """The whole table, against what PostgreSQL alone needs to hand it out; what each run took goes into `costs`."""
    orders.copy_to_nowhere(database)
    limit = []
    for _ in range(runs):
        limit.append(orders.copy_to_nowhere(database))
        costs.append(client.reload("orders"))
    client.check(database)
    ratio = statistics.median(limit) / median(costs)
    yield "`psql -c 'COPY … (FORMAT binary)'` to nowhere", f"{spread(limit)} s", ""
    yield "full refresh, from `reload` to Completed", f"{spread([cost.wall for cost in costs])} s", ""
    yield "its throughput against COPY", f"{ratio:.2f}", "≥ 0.85"
    yield "its memory", _memory(costs), "≤ 700 MiB"


def _incremental(client: Client, database: PostgresDatabase, runs: int, full: float, source: str) -> Iterator[Row]:
    """One of a hundred rows changed, then nothing; `full` is what the whole table takes, in seconds."""
    for where, share in (("scattered", 0.2), ("clustered", 0.1)):
        costs = []
        for _ in range(runs):
            orders.change(database, where)
            costs.append(client.reload("orders"))
        what = f"incremental, 1 % {where}, {source}"
        seconds = spread([cost.wall for cost in costs])
        yield what, f"{seconds} s: {median(costs) / full:.0%} of a full refresh", f"≤ {share:.0%}"
        yield f"{what}: memory", _memory(costs), "≤ 500 MiB"
    client.check(database)
    costs = [client.reload("orders") for _ in range(runs)]
    what = f"incremental, nothing changed, {source}"
    yield what, f"{spread([cost.wall for cost in costs])} s", ""
    yield f"{what}: work", f"{spread([cost.work for cost in costs])} s", "≤ 0.5 s"


def _memory(costs: list[Cost]) -> str:
    return f"{max(cost.mib for cost in costs):.0f} MiB"


def _api(client: Client) -> Iterator[Row]:
    times = []
    for _ in range(300):
        began = time.perf_counter()
        client.server.api("GET", f"external_data_sources/{client.source}/")
        times.append(1000 * (time.perf_counter() - began))
    yield (
        "retrieve of a source over HTTP, 95th percentile",
        f"{statistics.quantiles(times, n=20)[-1]:.1f} ms",
        "< 25 ms",
    )


if __name__ == "__main__":
    main()
