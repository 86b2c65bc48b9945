"""A PostgreSQL server for the whole session, and a fresh database for each test that asks."""

from collections.abc import Iterator

import pytest

from tests.support.postgres import PostgresDatabase, PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's server. A test that stops it starts it again."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def pg_database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    """A fresh, empty database of the session's server."""
    postgres.start()
    database = postgres.create_database()
    yield database
    postgres.start()
    database.drop()
