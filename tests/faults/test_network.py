"""A network between Hedgerow and its source that stalls, cuts and creeps: runs end, and tell the truth."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.conftest import SETTINGS
from tests.faults.rig import Job, Rig
from tests.faults.world import World
from tests.support import soak
from tests.support.postgres import PostgresServer
from tests.support.proxy import Fault, Proxy
from tests.support.server import Server

pytestmark = pytest.mark.journey
PATIENCE = 3
MIDDLE = 1_000_000
"""Bytes of an answer that only a read of many rows reaches."""


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer) -> Iterator[tuple[Rig, Proxy]]:
    postgres.start()
    database = postgres.create_database()
    world = World(database, random.Random(0))
    world.create()
    with (
        Proxy(postgres.port) as between,
        Server(source_silence_seconds=str(PATIENCE), **SETTINGS) as server,
    ):
        yield Rig(server, world, port=between.port), between
    database.drop()


@pytest.fixture
def proxy(shared: tuple[Rig, Proxy]) -> Iterator[Proxy]:
    yield shared[1]
    shared[1].heal()


@pytest.fixture
def rig(shared: tuple[Rig, Proxy]) -> Rig:
    return shared[0]


def run(rig: Rig, table: str = "goods") -> Job:
    """One run of a table, to its end."""
    rig.reload(table)
    rig.quiet(180)
    rig.check_ended()
    return [job for job in rig.jobs() if job.table == table][-1]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(soak.times(1)))
def test_after_any_fault_of_the_network_the_copy_equals_the_source(seed: int, rig: Rig, proxy: Proxy) -> None:
    rng = rig.world.rng = random.Random(seed)
    kinds: list[Any] = ["stall", "reset", "finish", "garbage"]
    for kind in rng.sample(kinds, k=len(kinds)):
        rig.world.change("goods")
        fault = proxy.fail(Fault(kind, rng.randrange(MIDDLE), times=1))
        job = run(rig)
        assert job.status == "Completed", (kind, fault, job.error)
        assert fault.met
        rig.check_copies(["goods"])


def test_a_slow_network_is_waited_for(rig: Rig, proxy: Proxy) -> None:
    rig.world.change("goods")
    proxy.fail(Fault("slow"))
    assert run(rig).attempts == 1
    rig.check_copies(["goods"])


def test_a_source_that_always_stalls_fails_the_run_and_says_why(rig: Rig, proxy: Proxy) -> None:
    before = rig.world.truth("goods")
    rig.world.change("goods")
    proxy.fail(Fault("stall", MIDDLE))
    job = run(rig)
    assert (job.status, job.attempts) == ("Failed", 3)
    assert job.error.startswith("The source stopped answering: nothing came for 3 seconds")
    assert rig.copy("goods") == before, "the old copy stays"
    proxy.heal()
    assert run(rig).status == "Completed"
    rig.check_copies(["goods"])


def test_a_run_that_waits_for_a_silent_source_can_be_cancelled(rig: Rig, proxy: Proxy) -> None:
    fault = proxy.fail(Fault("stall", MIDDLE, times=1))
    rig.reload("goods")
    rig.server.until(lambda: fault.met)
    proxy.fail(Fault("stall"))
    began = time.monotonic()
    schema = next(s["id"] for s in rig.source["schemas"] if s["name"] == "goods")
    rig.server.api("POST", f"external_data_schemas/{schema}/cancel/")
    rig.server.until(lambda: not rig.children(), 10)
    assert time.monotonic() - began < 10
    proxy.heal()
    rig.quiet()
    assert rig.jobs()[-1].status == "Cancelled"
    assert run(rig).status == "Completed"
    rig.check_copies(["goods"])


def test_a_request_about_a_silent_source_is_answered(rig: Rig, proxy: Proxy) -> None:
    proxy.fail(Fault("stall", 900))
    path = f"/api/environments/{rig.server.project}/external_data_sources/database_schema/"
    settings = rig.world.database.settings(port=proxy.port)
    answer = rig.server.request("POST", path, {"source_type": "Postgres", **settings})
    assert answer.status == 400
    assert "stopped answering" in answer.body["detail"]
