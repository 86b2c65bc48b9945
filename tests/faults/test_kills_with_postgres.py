"""The same with the metadata in PostgreSQL and two workers: what SQLite promises, it promises too."""

import random
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.faults import victims
from tests.faults.conftest import SETTINGS
from tests.faults.rig import Rig
from tests.faults.test_kills import a_round
from tests.faults.world import World
from tests.support import soak
from tests.support.postgres import PostgresDatabase, PostgresServer
from tests.support.server import Server

pytestmark = [pytest.mark.journey, pytest.mark.soak]


@pytest.fixture
def metadata() -> Iterator[PostgresDatabase]:
    """On a server of its own, so that it can die alone."""
    with PostgresServer() as server:
        yield server.create_database()


@pytest.fixture
def rig(world: World, metadata: PostgresDatabase) -> Iterator[Rig]:
    """A server with a worker in it, and a second worker."""
    at = metadata.server
    url = f"postgresql://{at.user}:{quote(at.password, safe='')}@{at.host}:{at.port}/{metadata.name}"
    with Server(database_url=url, **SETTINGS) as server:
        rig = Rig(server, world, metadata)
        try:
            rig.add_worker()
            yield rig
        finally:
            rig.close()


@pytest.mark.parametrize("seed", range(soak.times(1)))
def test_whatever_dies_of_many_processes_the_copies_equal_the_source(seed: int, rig: Rig) -> None:
    rig.world.rng = rng = random.Random(seed)
    for victim in rng.sample(victims.SHARED, k=3):
        a_round(rig, rng, victim)
    rig.check_tidy()
