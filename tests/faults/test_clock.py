"""Clocks that jump by hours, forwards and back, while the server runs."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.test_crashes import SLOW, connect, jobs, rows, truth, until_reading
from tests.journeys.test_postgres_metadata import url
from tests.support.faketime import Clock
from tests.support.postgres import PostgresDatabase, PostgresServer
from tests.support.server import Server

pytestmark = pytest.mark.journey


@pytest.fixture
def database(pg_database: PostgresDatabase) -> PostgresDatabase:
    pg_database.execute(SLOW)
    return pg_database


@pytest.fixture
def server() -> Server:
    return Server(lease_seconds="2")


@pytest.fixture
def clock(server: Server) -> Iterator[Clock]:
    made = Clock(server)
    yield made
    made.close()


def _reload(server: Server, source: Any) -> None:
    server.api("POST", f"external_data_sources/{source['id']}/reload/")


def _doctor(server: Server) -> dict[str, Any]:
    """What is wrong: by the name of the check."""
    command = [sys.executable, "-m", "hedgerow.cli.main", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=server.environment)
    return {check["name"]: check for check in json.loads(done.stdout)["checks"] if not check["ok"]}


def _done(server: Server, source: Any) -> list[str]:
    """The status of every job, newest first, once nothing runs."""
    server.settled(source["id"])
    return [job["status"] for job in jobs(server, source)]


def test_runs_and_schedules_go_on_whatever_the_clock_does(
    server: Server, clock: Clock, database: PostgresDatabase
) -> None:
    with server:
        source = connect(server, database, sync_frequency="5min")
        until_reading(server, database)
        clock.set(+5)  # in the middle of a run, which is not disturbed: what is due meanwhile is skipped
        assert _done(server, source) == ["Completed"]
        clock.set(+10)  # sixty beats are missed, and made up by one
        server.until(lambda: len(jobs(server, source)) == 2)
        assert _done(server, source) == ["Completed"] * 2

        _reload(server, source)
        until_reading(server, database)
        clock.set(-3)  # thirteen hours back, again in the middle
        assert _done(server, source) == ["Completed"] * 3
        assert server.request("GET", "/_readyz").body["worker"]

        _reload(server, source)  # begins now, not in thirteen hours
        assert _done(server, source) == ["Completed"] * 4
        clock.set(-3 + 0.1)  # six minutes later by the new clock a beat is due
        server.until(lambda: len(jobs(server, source)) == 5)
        assert _done(server, source) == ["Completed"] * 5

        made = [job["created_at"] for job in jobs(server, source)]
        assert made == sorted(made, reverse=True)
        assert len(set(made)) == 5
        assert rows(server) == truth(database)


def test_a_server_that_starts_with_its_clock_set_back_begins_at_once(
    server: Server, clock: Clock, database: PostgresDatabase
) -> None:
    clock.set(+9)
    with server:
        source = connect(server, database, sync_frequency="5min")
        until_reading(server, database)
        server.kill()
        clock.set(0)

        server.start()

        assert _done(server, source) == ["Completed"]
        clock.set(0.1)
        server.until(lambda: len(jobs(server, source)) == 2)
        assert rows(server) == truth(database)


def test_no_living_worker_of_several_is_robbed(postgres: PostgresServer, database: PostgresDatabase) -> None:
    metadata = postgres.create_database()
    server = Server(database_url=url(metadata), lease_seconds="2")
    clock = Clock(server)
    with (
        server,
        subprocess.Popen(
            [sys.executable, "-m", "hedgerow.cli.main", "worker"], env=server.environment, stdout=subprocess.DEVNULL
        ) as other,
    ):
        try:
            source = connect(server, database)
            until_reading(server, database)
            for hours in range(5, 105, 5):  # so often that one of them falls between a renewal and a look
                clock.set(hours)
                time.sleep(0.1)
            assert _done(server, source) == ["Completed"]
            assert metadata.execute("select attempts, crashes from sync_run") == [(1, 0)]
            assert rows(server) == truth(database)
            assert "differs by -360" in _doctor(server)["clock"]["details"][0]
        finally:
            other.kill()
    clock.close()
    metadata.drop()
