"""Whole processes, killed in the middle: nothing lost, nothing doubled, nothing running for ever."""

import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.support.postgres import PostgresDatabase
from tests.support.server import Server

pytestmark = pytest.mark.journey

SLOW = """
create table base (id int primary key, word text, touched timestamptz not null default now());
insert into base select i, 'word ' || i from generate_series(1, 2000) i;
create function slowly(i int) returns int language plpgsql volatile as $$
begin if i % 20 = 0 then perform pg_sleep(0.03); end if; return i; end $$;
create view slow as select id, word, touched, slowly(id) as same from base;
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(lease_seconds="3") as running:
        yield running


@pytest.fixture
def database(pg_database: PostgresDatabase) -> PostgresDatabase:
    """A view that takes three seconds to read, so that there is a middle to be killed in."""
    pg_database.execute(SLOW)
    return pg_database


def connect(server: Server, database: PostgresDatabase, **table: Any) -> Any:
    """Connect the source with one enabled table, whose first run begins at once; the source."""
    schema = {"name": "slow", "should_sync": True, "sync_type": "full_refresh", **table}
    payload = {**database.settings(), "schemas": [schema]}
    return server.api("POST", "external_data_sources/", {"source_type": "Postgres", "payload": payload})


def slow(source: Any) -> Any:
    """The table `slow` of a source; discovery adds the other tables of the database."""
    return next(s for s in source["schemas"] if s["name"] == "slow")


def jobs(server: Server, source: Any) -> list[Any]:
    found: list[Any] = server.api("GET", f"external_data_sources/{source['id']}/jobs/")
    return found


def active(database: PostgresDatabase) -> int:
    """How many sessions of this database are in the middle of the slow view."""
    sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    count: int = database.execute(sql)[0][0]
    return count


def until_reading(server: Server, database: PostgresDatabase) -> None:
    """Until the source database is in the middle of answering."""
    server.until(lambda: active(database))


def rows(server: Server, table: str = "postgres_slow") -> list[list[Any]]:
    return server.sql(f"select id, word from {table} order by id limit 50000")


def truth(database: PostgresDatabase) -> list[list[Any]]:
    return [list(row) for row in database.execute("select id, word from base order by id")]


def child(server: Server) -> psutil.Process:
    """The process of the run: the newest one below the server."""
    return max((p for p in server.processes() if p.pid != server.pid), key=lambda p: (p.create_time(), p.pid))


def test_a_killed_run_is_taken_up_again_and_completes_in_the_same_job(
    server: Server, database: PostgresDatabase
) -> None:
    source = connect(server, database)
    until_reading(server, database)
    child(server).kill()
    assert slow(server.settled(source["id"]))["status"] == "Completed"
    assert [j["status"] for j in jobs(server, source)] == ["Completed"]
    assert rows(server) == truth(database)


def test_a_killed_server_resumes_at_its_next_start(server: Server, database: PostgresDatabase) -> None:
    source = connect(server, database)
    until_reading(server, database)
    below = [p for p in server.processes() if p.pid != server.pid]
    server.kill()
    gone, alive = psutil.wait_procs(below, timeout=10)
    assert not alive, "a process outlived its server"
    assert gone
    server.start()
    assert slow(server.settled(source["id"]))["status"] == "Completed"
    assert [j["status"] for j in jobs(server, source)] == ["Completed"]
    assert rows(server) == truth(database)


def test_incremental_runs_killed_again_and_again_neither_lose_nor_double(
    server: Server, database: PostgresDatabase
) -> None:
    source = connect(
        server,
        database,
        sync_type="incremental",
        incremental_field="touched",
        incremental_field_type="timestamp",
        primary_key_columns=["id"],
    )
    server.settled(source["id"])
    for round_ in range(3):
        database.execute(f"update base set word = word || '!', touched = clock_timestamp() where id % 3 = {round_}")
        database.execute(f"insert into base select 10000 + {round_} * 500 + i, 'new' from generate_series(1, 400) i")
        server.api("POST", f"external_data_sources/{source['id']}/reload/")
        until_reading(server, database)
        server.kill()
        server.start()
        assert slow(server.settled(source["id"]))["status"] == "Completed"
        assert rows(server) == truth(database)


def test_a_source_database_that_restarts_in_the_middle_is_retried(server: Server, database: PostgresDatabase) -> None:
    source = connect(server, database)
    until_reading(server, database)
    database.server.kill()
    database.server.start()
    table = slow(server.settled(source["id"]))
    assert (table["status"], table["latest_error"], table["should_sync"]) == ("Completed", None, True)
    assert rows(server) == truth(database)


def test_cancelling_stops_the_run_and_the_query_in_the_source(server: Server, database: PostgresDatabase) -> None:
    source = connect(server, database)
    until_reading(server, database)
    schema = slow(source)["id"]
    began = time.monotonic()
    server.api("POST", f"external_data_schemas/{schema}/cancel/")
    (job,) = jobs(server, source)
    assert (job["status"], job["latest_error"]) == ("Cancelled", None)
    assert job["finished_at"]
    server.until(lambda: not active(database), 5)
    assert time.monotonic() - began < 5
    assert server.api("GET", f"external_data_schemas/{schema}/")["table"] is None


def test_deleting_a_source_in_mid_run_leaves_nothing_behind(server: Server, database: PostgresDatabase) -> None:
    source = connect(server, database)
    until_reading(server, database)
    server.api("DELETE", f"external_data_sources/{source['id']}/")
    path = f"/api/environments/{server.project}/external_data_sources/{source['id']}/"
    assert server.request("GET", path).status == 404
    server.until(lambda: not list((server.folder / "tables").rglob("*.parquet")), 20)
    answer = server.request(
        "POST",
        f"/api/environments/{server.project}/query/",
        {"query": {"kind": "HogQLQuery", "query": "select 1 from postgres_slow"}},
    )
    assert answer.status == 400
    assert "Unknown table" in answer.body["detail"]


def test_a_server_told_to_stop_ends_cleanly_and_its_run_goes_on_later(
    server: Server, database: PostgresDatabase
) -> None:
    source = connect(server, database)
    until_reading(server, database)
    assert server.stop() == 0
    server.start()
    assert slow(server.settled(source["id"]))["status"] == "Completed"
    assert [j["status"] for j in jobs(server, source)] == ["Completed"]
