"""Installations to be killed."""

import random
from collections.abc import Iterator

import pytest

from tests.faults.rig import QUERY_PROCESSES, Rig
from tests.faults.world import World
from tests.support.postgres import PostgresDatabase
from tests.support.server import Server

SETTINGS = {"lease_seconds": "3", "query_processes": str(QUERY_PROCESSES), "log_level": "warning"}


@pytest.fixture
def world(pg_database: PostgresDatabase) -> World:
    """The source. A test seeds its random numbers."""
    made = World(pg_database, random.Random(0))
    made.create()
    return made


@pytest.fixture
def rig(world: World) -> Iterator[Rig]:
    """A server with its metadata in SQLite, after its first runs."""
    with Server(**SETTINGS) as server:
        yield Rig(server, world)
