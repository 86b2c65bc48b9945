"""A table of a real server through all that can write it: every version answers what the source was then."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.postgres import PostgresDatabase
from tests.support.server import Server

pytestmark = pytest.mark.journey

TABLE = "postgres_goods"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


class Shop:
    """A source table that changes, the server that syncs it, and what the source was at each job."""

    def __init__(self, server: Server, database: PostgresDatabase) -> None:
        self.server, self.database = server, database
        self.truth: dict[str, list[list[Any]]] = {}
        schema = {"name": "goods", "should_sync": True, "sync_type": "full_refresh"}
        payload = {**database.settings(), "schemas": [schema]}
        self.source = server.api("POST", "external_data_sources/", {"source_type": "Postgres", "payload": payload})
        self.schema = self.source["schemas"][0]
        self._remember()

    def sync(self, change: str, **settings: Any) -> None:
        """Change the source, and perhaps the settings of its table, and sync."""
        self.database.execute(change)
        address = f"external_data_schemas/{self.schema['id']}/"
        if settings:
            self.server.api("PATCH", address, settings)
        self.server.settled(self.source["id"])
        self.server.api("POST", f"{address}reload/")
        self._remember()

    def versions(self) -> list[Any]:
        """As the API lists them, oldest first."""
        (table,) = self.server.api("GET", "warehouse_tables/?search=goods")["results"]
        found: list[Any] = self.server.api("GET", f"warehouse_tables/{table['id']}/versions/")["results"]
        return found[::-1]

    def _remember(self) -> None:
        self.server.settled(self.source["id"])
        newest = self.server.api("GET", f"external_data_sources/{self.source['id']}/jobs/")[0]
        assert newest["status"] == "Completed", newest
        assert newest["id"] not in self.truth
        self.truth[newest["id"]] = [list(row) for row in self.database.execute("select * from goods order by id")]


def test_every_version_answers_what_the_source_was_then(server: Server, pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table goods (id int primary key, word text, step int not null default 0)")
    pg_database.execute("insert into goods select i, 'word ' || i from generate_series(1, 50) i")
    shop = Shop(server, pg_database)
    shop.sync("delete from goods where id > 40")
    shop.sync("update goods set word = 'changed' where id < 5")
    cursor = {"incremental_field": "step", "incremental_field_type": "integer"}
    shop.sync("update goods set step = 1 where id < 9", sync_type="incremental", **cursor)
    for step in range(2, 5):
        shop.sync(f"insert into goods values ({100 * step}, 'new', {step})")
    shop.sync("alter table goods add column price int; insert into goods values (999, 'dear', 9, 5)")
    found = shop.versions()
    assert "upkeep" in [version["kind"] for version in found]
    assert [version["run"] for version in found if version["run"]] == list(shop.truth)
    last: list[list[Any]] = []
    for version in found:
        last = shop.truth[version["run"]] if version["run"] else last
        assert server.sql(f"select * from {TABLE} at (version => {version['version']}) order by id") == last
        assert version["row_count"] == len(last)
    assert server.sql(f"select * from {TABLE} order by id") == last
    first = found[0]["version"]
    gone = f"select count(*) from {TABLE} at (version => {first}) a left join {TABLE} b using (id) where b.id is null"
    assert server.sql(gone) == [[10]]
