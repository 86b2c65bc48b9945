"""What a query costs through the HTTP API, beside plain DuckDB on the same files.

    python -m benchmarks.queries [--rows 5000000] [--runs 7] [--write]

Each query is asked for with `force_blocking`, so nothing is answered from the cache, and its answer compared. DuckDB
runs in this process: with a new database for each query, as Hedgerow seals one for each query, and once more with one
that is kept open and has read the files before. The table is measured as a full refresh left it, and after one row of
a hundred, scattered, was changed and merged. There DuckDB reads the same files as they are, with the rows that the
merge marked as deleted: less work than the right answer needs, so the ratio is not flattered.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import duckdb
from tests.support.server import Server

from benchmarks import orders
from benchmarks.measuring import circumstances, progress, publish, spread, table
from hedgerow.lake import read
from hedgerow.lake.storage import Storage

_CUSTOMERS = """
create table customers as
select i as id, (array['home', 'trade', 'school', 'state'])[1 + i % 4] as segment, md5(i::text) as name
from generate_series(0, 199999) i;
alter table customers add primary key (id);
"""
_QUERIES = {
    "count": "select count(*) from postgres_orders",
    "group by": """
        select status, channel, count(*), sum(amount), round(avg(rate), 6)
        from postgres_orders group by status, channel order by status, channel""",
    "top-n": "select id, customer_id, amount, ref from postgres_orders order by amount desc, id limit 100",
    "join": """
        select c.segment, count(*), sum(o.amount)
        from postgres_orders o join postgres_customers c on o.customer_id = c.id
        where o.quantity > 5 group by c.segment order by c.segment""",
    "point lookup": "select id, customer_id, amount, sku, attrs from postgres_orders where id = {middle}",
}
_NAMES = ("postgres_orders", "postgres_customers")
_TARGET = 1.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    arguments = parser.parse_args()
    queries = {name: query.format(middle=arguments.rows * 5 // 8) for name, query in _QUERIES.items()}
    command = f"python -m benchmarks.queries --rows {arguments.rows} --runs {arguments.runs}"
    with orders.postgres() as postgres, Server() as server:
        database = postgres.create_database()
        progress(f"making {arguments.rows:,} rows")
        orders.fill(database, "orders", arguments.rows)
        database.execute(_CUSTOMERS)
        client = orders.Client(server, database, ("orders", "customers"))
        client.reload("customers")
        client.by_cursor("orders")
        client.reload("orders")
        parts = [circumstances(command), "As a full refresh left it:", _measured(server, queries, arguments.runs, True)]
        orders.change(database, "scattered")
        client.reload("orders")
        client.check(database)
        parts += ["After a merge of 1 %, scattered:", _measured(server, queries, arguments.runs, False)]
    publish("queries", "\n\n".join(parts), arguments.write)


def _measured(server: Server, queries: dict[str, str], runs: int, same: bool) -> str:
    """A table; `same`: the files alone are the table, so both sides must answer alike."""
    views = _views(server)
    kept = _database(views)
    rows = [["query", "Hedgerow, ms", "DuckDB, new, ms", f"ratio (target ≤ {_TARGET})", "DuckDB, open, ms", "ratio"]]
    for name, query in queries.items():
        progress(name)
        plain, ours, warm = [], [], []
        for turn in range(runs + 1):  # the first is not counted
            began = time.perf_counter()
            with _database(views) as fresh:
                expected = fresh.execute(query).fetchall()
            seen = time.perf_counter()
            answer = server.sql(query)
            answered = time.perf_counter()
            kept.execute(query).fetchall()
            took = time.perf_counter() - answered
            assert not same or _plain(answer) == _plain(expected), (name, answer[:3], expected[:3])
            if turn:
                plain.append(1000 * (seen - began))
                ours.append(1000 * (answered - seen))
                warm.append(1000 * took)
        ratios = [f"{statistics.median(ours) / statistics.median(theirs):.2f}" for theirs in (plain, warm)]
        rows.append([name, spread(ours), spread(plain), f"**{ratios[0]}**", spread(warm), ratios[1]])
    kept.close()
    return table(rows)


def _views(server: Server) -> list[str]:
    """The statements that make each table's files readable under the table's name."""
    tables = server.folder / "tables"
    statements = []
    for name in _NAMES:
        folder = next(Path(tables, str(server.project)).glob(f"{name}-*"))
        found = read.files(Storage(str(tables)), str(folder.relative_to(tables)))
        assert found is not None, folder
        files = ", ".join(f"'{uri}'" for uri in found.uris)
        statements.append(f"create view {name} as select * from read_parquet([{files}])")
    return statements


def _database(views: list[str]) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(config={"threads": 2})
    database.execute(";".join(["set enable_progress_bar = false", *views]))
    return database


def _plain(rows: list[Any]) -> list[list[str]]:
    return [[str(value) for value in row] for row in rows]


if __name__ == "__main__":
    main()
