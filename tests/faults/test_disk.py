"""Disks that are full or read-only, for real: said plainly, nothing lost, and all goes on by itself when there is room.

Tables and database lie on small disks of their own, so that each can fail alone.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.disk import SmallDisk
from tests.support.postgres import PostgresDatabase, PostgresServer
from tests.support.program import Command
from tests.support.server import Server

pytestmark = pytest.mark.journey

ROWS = """
create table things (id int primary key, word text, touched timestamptz not null default now());
insert into things select i, gen_random_uuid() || '' || gen_random_uuid() from generate_series(1, 20000) i;
create function held(i int) returns int language plpgsql volatile as $$
begin if i % 1000 = 0 then perform pg_advisory_xact_lock_shared(77); end if; return i; end $$;
create view slow as select id, held(id) as same from things where id <= 2000;
"""
FULL = "The disk of the tables is full. Free some space on it. Scheduled runs then go on by themselves."
DEMO = {
    "source_type": "Demo",
    "payload": {"schemas": [{"name": "products", "should_sync": True, "sync_type": "full_refresh"}]},
}
READ_ONLY = "The disk of the tables is read-only."
DATABASE_FULL = "The disk of the database is full."


@dataclass
class House:
    """A server whose tables lie on one small disk and whose database on another; a source of three tables."""

    server: Server
    tables: SmallDisk
    database: SmallDisk
    shop: PostgresDatabase
    source: str

    def schema(self, name: str) -> Any:
        source = self.server.api("GET", f"external_data_sources/{self.source}/")
        return next(s for s in source["schemas"] if s["name"] == name)

    def start(self, name: str) -> int:
        path = f"/api/environments/{self.server.project}/external_data_schemas/{self.schema(name)['id']}/reload/"
        return self.server.request("POST", path).status

    def run(self, name: str) -> Any:
        """One run of the table, to its end; the table's schema."""
        assert self.start(name) == 200
        self.server.settled(self.source)
        return self.schema(name)

    def files(self) -> set[str]:
        """Everything in the folder of tables."""
        return {str(p) for p in (self.tables.folder / "tables").rglob("*") if p.is_file()}

    def rows(self, name: str) -> list[list[Any]]:
        return self.server.sql(f"select count(), min(word), max(word) from postgres_{name}")

    def truth(self) -> list[list[Any]]:
        sql = 'select count(*), min(word collate "C"), max(word collate "C") from things'
        return [list(row) for row in self.shop.execute(sql)]

    def change(self) -> None:
        """Every row anew; the tables do not know of it yet."""
        self.shop.execute("update things set word = gen_random_uuid() || 'x', touched = clock_timestamp()")


@pytest.fixture(scope="module")
def house(postgres: PostgresServer) -> Iterator[House]:
    shop = postgres.create_database()
    shop.execute(ROWS)
    shop.execute("create view things_merged as select * from things")
    cursor = {"incremental_field": "touched", "incremental_field_type": "timestamp", "primary_key_columns": ["id"]}
    schemas = [
        {"name": "things", "should_sync": True, "sync_type": "full_refresh"},
        {"name": "things_merged", "should_sync": True, "sync_type": "incremental", **cursor},
        {"name": "slow", "should_sync": True, "sync_type": "full_refresh"},
    ]
    with (
        SmallDisk(40) as tables,
        SmallDisk(24) as database,
        Server(database.folder, storage_url=str(tables.folder / "tables"), lease_seconds="2") as server,
    ):
        payload = {**shop.settings(), "schemas": schemas}
        source = server.api("POST", "external_data_sources/", {"source_type": "Postgres", "payload": payload})
        server.settled(source["id"])
        yield House(server, tables, database, shop, source["id"])


@pytest.fixture(autouse=True)
def room(house: House) -> Iterator[None]:
    """Every test begins with room on both disks."""
    yield
    for disk in (house.tables, house.database):
        disk.clear()


@pytest.mark.parametrize("name", ["things", "things_merged"])
@pytest.mark.parametrize("left", [0, 200_000])
def test_a_run_that_fills_the_disk_fails_plainly_and_leaves_the_table_as_it_was(
    house: House, name: str, left: int
) -> None:
    before, files = house.rows(name), house.files()
    house.change()
    house.tables.fill(left)

    table = house.run(name)

    assert (table["status"], table["latest_error"], table["should_sync"]) == ("Failed", FULL, True)
    assert house.rows(name) == before
    assert house.files() == files
    house.tables.clear()
    assert house.run(name)["status"] == "Completed"
    assert house.rows(name) == house.truth()


def test_a_disk_that_fills_up_at_the_commit_itself_leaves_the_table_as_it_was(house: House) -> None:
    """With room for one file more, that is the one with the rows; the entry in the log is the second."""
    before, files = house.rows("things"), house.files()
    told = len(house.server.log.read_text())
    house.tables.fill_with_files(1)

    table = house.run("things")

    assert (table["status"], table["latest_error"]) == ("Failed", FULL)
    assert "/_delta_log/" in house.server.log.read_text()[told:]
    assert house.rows("things") == before
    assert house.files() == files


def test_a_folder_of_tables_that_turns_read_only_is_still_queried_and_written_once_it_can_be(house: House) -> None:
    before = house.rows("things")
    house.change()
    house.tables.remount("ro")
    try:
        table = house.run("things")
        assert table["status"] == "Failed"
        assert table["latest_error"].startswith(READ_ONLY)
        assert house.rows("things") == before
        assert house.server.request("GET", "/_readyz").body["storage"] is False
    finally:
        house.tables.remount("rw")
    assert house.run("things")["status"] == "Completed"
    assert house.rows("things") == house.truth()


def test_while_the_database_s_disk_is_full_reading_works_and_writing_is_refused_plainly(house: House) -> None:
    before = house.rows("things")
    house.database.fill()

    started = house.server.request(
        "POST", f"/api/environments/{house.server.project}/external_data_sources/{house.source}/reload/"
    )

    assert (started.status, started.body["type"], started.body["code"]) == (503, "server_error", "service_unavailable")
    assert started.body["detail"].startswith(DATABASE_FULL)
    assert house.rows("things") == before
    assert house.schema("slow")["status"] == "Completed"
    assert "Traceback" not in house.server.log.read_text()


def test_a_run_that_cannot_be_told_of_is_taken_up_again_when_there_is_room(house: House) -> None:
    house.change()
    with house.shop.connect() as gate:
        gate.execute("select pg_advisory_lock(77)")
        assert house.start("slow") == 200
        house.server.until(lambda: gate.execute("select from pg_locks where objid = 77 and not granted").fetchall())
        house.database.fill()
    house.server.until(lambda: "cannot tell the database" in house.server.log.read_text(), 20)

    house.database.clear()

    house.server.settled(house.source)
    assert house.server.request("GET", "/_readyz").body["worker"]
    job = house.server.api("GET", f"external_data_sources/{house.source}/jobs/")[0]
    assert (job["schema"]["name"], job["status"], job["latest_error"]) == ("slow", "Completed", None)
    assert house.server.sql("select count() from postgres_slow") == [[2000]]


def test_a_data_folder_that_turns_read_only_is_said_plainly_while_running_and_at_the_next_start(
    program: Command,
) -> None:
    with SmallDisk(24) as disk, Server(disk.folder) as server:
        disk.fail()
        path = f"/api/environments/{server.project}/external_data_sources/"
        refused = server.request("POST", path, DEMO)
        assert refused.status == 503
        assert refused.body["detail"].startswith("The disk of the database")
        assert server.request("GET", path).status == 200
        assert "Traceback" not in server.log.read_text()
        server.kill()

        for command in ("serve", "worker", "migrate"):
            second = program(command, "--json", data_dir=server.folder)
            assert second.code == 1
            error = json.loads(second.err.splitlines()[-1])["error"]
            assert (error["what"], error["which"]) == ("The data folder cannot be used.", str(server.folder))
            assert "Traceback" not in second.err
        report = program("doctor", "--json", data_dir=server.folder)
        wrong = {check["name"]: check for check in report.data["checks"] if not check["ok"]}
        assert (report.code, wrong["data folder"]["ok"]) == (1, False)
        assert wrong["data folder"]["found"].endswith("The disk of the data folder is read-only.")
        assert wrong["storage"]["found"].startswith("The disk of the tables is read-only.")
