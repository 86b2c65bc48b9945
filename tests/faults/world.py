"""The source of a fault test: four tables that change, and what their copies must then hold."""

import random
from dataclasses import dataclass
from typing import Any, Final

from tests.support.postgres import PostgresDatabase

TABLES: Final[dict[str, dict[str, Any]]] = {
    "goods": {"sync_type": "full_refresh"},
    "kinds": {"sync_type": "full_refresh"},
    "people": {
        "sync_type": "incremental",
        "incremental_field": "touched",
        "incremental_field_type": "timestamp",
        "primary_key_columns": ["id"],
    },
    "events": {"sync_type": "append", "incremental_field": "version", "incremental_field_type": "integer"},
}
CURSORS: Final = {"people": "touched", "events": "version"}
_CREATE: Final = """
create sequence version;
create function word(n bigint) returns text language sql as $$ select repeat(md5(n::text), 1 + (n % 9)::int) $$;
create table goods (id bigint primary key, version bigint not null default nextval('version'), word text);
create table kinds (like goods including all);
create table people (like goods including all, touched timestamptz not null default clock_timestamp());
create table events (like goods including all);
create table versions_of_events as table events;
create function remember() returns trigger language plpgsql as $$
begin insert into versions_of_events values (new.*); return new; end $$;
create trigger remember after insert or update on events for each row execute function remember();
insert into goods select n, nextval('version'), word(n) from generate_series(1, 40000) n;
insert into kinds select n, nextval('version'), word(n) from generate_series(1, 7) n;
insert into people select n, nextval('version'), word(n) from generate_series(1, 15000) n;
insert into events select n, nextval('version'), word(n) from generate_series(1, 10000) n;
"""
# Of every copy and of the truth: enough to see a row that is lost, doubled, old or mixed with another.
_FINGERPRINT: Final = """
select id % 199 as place, count(*) as found, sum(id) as ids, sum(version) as versions, sum(id * version) as pairs,
       sum(length(word)) as letters
from {table} group by 1 order by 1 limit 1000
"""


@dataclass
class World:
    """The source. `change` it while no run reads; `more` may come at any time."""

    database: PostgresDatabase
    rng: random.Random

    def create(self) -> None:
        """Make the tables."""
        self.database.execute(_CREATE)

    def change(self, *tables: str) -> None:
        """What people do between two runs of these tables (or all): rows come, change and, if it can be seen, go."""
        for table in tables or TABLES:
            share, rest = self.rng.choice((3, 20, 500)), self.rng.randrange(3)
            touched = ", touched = clock_timestamp()" if table == "people" else ""
            self.database.execute(
                f"update {table} set version = nextval('version'), word = word(id + version){touched} "
                f"where id % {share} = {rest}"
            )
        if "goods" in (tables or TABLES):
            self.database.execute(f"delete from goods where id % {self.rng.randrange(20, 90)} = 0")
        self.more(*tables)

    def more(self, *tables: str) -> None:
        """New rows, as they also come while a run reads."""
        for table in tables or ("goods", "people", "events"):
            count = self.rng.randrange(1, 2000)
            self.database.execute(
                f"insert into {table} (id, word) select n, word(n) from "
                f"(select i + (select max(id) from {table}) as n from generate_series(1, {count}) i) numbers"
            )

    def truth(self, table: str) -> list[list[Any]]:
        """The fingerprint of what the copy of a table must hold. Of events every version is kept."""
        held = "versions_of_events" if table == "events" else table
        return [[int(value) for value in row] for row in self.database.execute(_FINGERPRINT.format(table=held))]

    def rows(self, table: str) -> int:
        """How many rows the source holds."""
        count: int = self.database.execute(f"select count(*) from {table}")[0][0]
        return count

    def is_furthest(self, table: str, value: str) -> bool:
        """Whether a cursor's value is the greatest of its column."""
        kind = "timestamptz" if table == "people" else "bigint"
        sql = f"select max({CURSORS[table]}) = %s::{kind} from {table}"
        furthest: bool = self.database.execute(sql, [value])[0][0]
        return furthest

    def sessions(self) -> list[tuple[int, str]]:
        """Process ids and queries of Hedgerow's sessions in the source."""
        return [
            (row[0], row[1])
            for row in self.database.execute(
                "select pid, query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                " and backend_type = 'client backend'"
            )
        ]


def fingerprint(table: str) -> str:
    """The query for the copy of a table, in Hedgerow's SQL."""
    return _FINGERPRINT.format(table=f"postgres_{table}")
