"""The same server with its metadata in PostgreSQL: what SQLite promises, it promises too."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.journeys.test_crashes import SLOW, connect, jobs, rows, slow, truth, until_reading
from tests.support.postgres import PostgresDatabase, PostgresServer
from tests.support.server import Server

pytestmark = pytest.mark.journey


@pytest.fixture
def metadata(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    database = postgres.create_database()
    yield database
    database.drop()


@pytest.fixture
def server(metadata: PostgresDatabase) -> Iterator[Server]:
    with Server(database_url=url(metadata), lease_seconds="3") as running:
        yield running


def url(database: PostgresDatabase) -> str:
    from urllib.parse import quote

    server = database.server
    return f"postgresql://{server.user}:{quote(server.password, safe='')}@{server.host}:{server.port}/{database.name}"


def test_a_killed_server_resumes_and_the_table_equals_the_source(server: Server, pg_database: PostgresDatabase) -> None:
    pg_database.execute(SLOW)
    source = connect(server, pg_database)
    until_reading(server, pg_database)
    server.kill()
    server.start()
    assert slow(server.settled(source["id"]))["status"] == "Completed"
    assert [j["status"] for j in jobs(server, source)] == ["Completed"]
    assert rows(server) == truth(pg_database)


def test_a_run_of_a_dead_worker_is_taken_up_by_another_one(
    metadata: PostgresDatabase, pg_database: PostgresDatabase
) -> None:
    pg_database.execute(SLOW)
    with Server(database_url=url(metadata), lease_seconds="3") as server:
        source = connect(server, pg_database)
        until_reading(server, pg_database)
        with subprocess.Popen(
            [sys.executable, "-m", "hedgerow.cli.main", "worker"], env=server.environment, stdout=subprocess.DEVNULL
        ) as other:
            try:
                for process in server.processes():
                    process.suspend()  # stopped, not dead: its lease runs out all the same
                server.until(lambda: "Completed" in _statuses(metadata), 60)
                for process in server.processes():
                    process.resume()
                assert slow(server.settled(source["id"]))["status"] == "Completed"
                assert [j["status"] for j in jobs(server, source)] == ["Completed"]
                assert rows(server) == truth(pg_database)
            finally:
                other.kill()


def _statuses(metadata: PostgresDatabase) -> list[str]:
    return [row[0] for row in metadata.execute("select status from sync_run")]
