"""What the benchmarks sync, the PostgreSQL it lies in, and Hedgerow, asked for everything over HTTP as a client would.

`orders` has 14 mixed columns; `updated_at` is its cursor. What a step did not cause is kept away from it: the
source's own vacuum is off, and its pages are in memory.
"""

import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tests.support.postgres import PostgresDatabase, PostgresServer, binaries
from tests.support.server import Server

from benchmarks.measuring import PeakMemory, cpu_seconds

_ORDERS = """
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
"""
CHANGES = {"scattered": "id % 100 = 7", "clustered": "id > (select max(id) * 99 / 100 from orders)"}
SMALL = 10_000
_LONGEST = 600


def postgres() -> PostgresServer:
    """A server for the benchmarks; not yet started."""
    return PostgresServer(
        {"shared_buffers": "4GB", "max_wal_size": "8GB", "timezone": "UTC", "autovacuum": "off"},
    )


def fill(database: PostgresDatabase, name: str, rows: int) -> None:
    """Make a table of orders, its statistics and its visibility map."""
    database.execute(_ORDERS.format(name=name, rows=rows))
    database.execute(f"vacuum (analyze) {name}")


def index_cursor(database: PostgresDatabase) -> None:
    """The index that a careful user puts on the cursor column."""
    database.execute("create index orders_updated_at on orders (updated_at)")


def drop_index(database: PostgresDatabase) -> None:
    """The source without that index."""
    database.execute("drop index if exists orders_updated_at")


def change(database: PostgresDatabase, where: str) -> None:
    """Change the orders that `where` (a key of CHANGES) picks: one of a hundred."""
    database.execute(
        f"update orders set updated_at = clock_timestamp(), quantity = quantity + 1 where {CHANGES[where]}"
    )


def reader(database: PostgresDatabase) -> str:
    """The address that the peers get, with a login whose password needs no escaping: not all of them can."""
    database.execute("create role reader login superuser password 'reader'")
    return f"postgresql://reader:reader@{database.server.host}:{database.server.port}/{database.name}"


def copy_to_nowhere(database: PostgresDatabase) -> float:
    """Seconds that PostgreSQL needs to hand out the table on one connection."""
    began = time.perf_counter()
    command = [str(binaries() / "psql"), database.dsn, "-qc", "copy orders to stdout (format binary)"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


@dataclass(frozen=True)
class Cost:
    """What one step took: seconds, CPU seconds, peak memory.

    Of Hedgerow, `wall` ends when a client sees Completed and `cpu` when the tidying after it is over; `work` is its
    own account: from the job's creation to its end.
    """

    wall: float
    cpu: float
    mib: float
    work: float = 0.0


def median(costs: list[Cost], what: Callable[[Cost], float] = lambda cost: cost.wall) -> float:
    """The median of the seconds, or of another part of the costs."""
    return statistics.median(what(cost) for cost in costs)


class Client:
    """A server with one source: the database given. Its tables are chosen, but nothing syncs until told."""

    def __init__(self, server: Server, database: PostgresDatabase, names: tuple[str, ...]) -> None:
        self.server = server
        schemas = [{"name": name, "should_sync": False, "sync_type": "full_refresh"} for name in names]
        body = {"source_type": "Postgres", "payload": {**database.settings(), "schemas": schemas}}
        self.source: str = server.api("POST", "external_data_sources/", body)["id"]
        made = server.api("GET", f"external_data_sources/{self.source}/")["schemas"]
        self._schemas: dict[str, str] = {schema["name"]: schema["id"] for schema in made}

    def by_cursor(self, name: str) -> None:
        """Sync that table incrementally from now on. The next reload still reads it whole."""
        changes = {"sync_type": "incremental", "incremental_field": "updated_at", "incremental_field_type": "timestamp"}
        self.server.api("PATCH", f"external_data_schemas/{self._schemas[name]}/", changes)

    def reload(self, name: str, every: float = 0.1) -> Cost:
        """Ask for a sync; what it took until a client that looks every so often saw it Completed."""
        path = f"external_data_schemas/{self._schemas[name]}/"
        cpu, began = cpu_seconds(self.server.processes()), time.perf_counter()
        with PeakMemory(self.server.processes) as peak:
            self.server.api("POST", f"{path}reload/")
            schema = self.server.until(
                lambda: (s := self.server.api("GET", path))["status"] != "Running" and s, _LONGEST, every
            )
            wall = time.perf_counter() - began
            quiet(self.server)
        assert schema["status"] == "Completed", schema
        return Cost(wall, cpu_seconds(self.server.processes()) - cpu, peak.mib, self._last_run(name))

    def _last_run(self, name: str) -> float:
        jobs = self.server.api("GET", f"external_data_sources/{self.source}/jobs/?schemas={name}")
        newest = max(jobs, key=lambda job: str(job["created_at"]))
        return (_moment(newest["finished_at"]) - _moment(newest["created_at"])).total_seconds()

    def check(self, database: PostgresDatabase) -> None:
        """AssertionError unless the synced orders are the source's, by their number and sums."""
        what = "count(*), sum(quantity), sum(amount)"
        ours = self.server.sql(f"select {what} from postgres_orders")[0]
        theirs = database.execute(f"select {what} from orders")[0]
        assert [Decimal(value) for value in ours] == [Decimal(value) for value in theirs], (ours, theirs)


def quiet(server: Server) -> None:
    """Wait until the server's processes have stopped working."""
    before, deadline = -1.0, time.monotonic() + 60
    while (now := cpu_seconds(server.processes())) - before > 0.01 and time.monotonic() < deadline:
        before = now
        time.sleep(0.3)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
