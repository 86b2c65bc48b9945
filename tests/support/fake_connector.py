"""A connector over tables in memory. It follows the contract; what it offers and refuses, a test decides."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest

from hedgerow.connectors import registry
from hedgerow.connectors.contract import Column, Connector, Reach, Reading, ReadRequest, SourceTable
from hedgerow.connectors.spec import Input, Spec, SSHTunnel
from hedgerow.core.errors import CredentialsError, OutsideError

NAME = "MySQL"
PASSWORD = "correct horse"

SPEC = Spec(
    name=NAME,
    fields=(
        Input("host", "Host"),
        Input("port", "Port", type="number"),
        Input("database", "Database"),
        Input("user", "User"),
        Input("password", "Password", type="password", secret=True),
        Input("schema", "Schema", required=False),
        SSHTunnel(),
    ),
)

ID = Column("id", "int", "integer", nullable=False, cursor_type="integer")
UPDATED = Column("updated_at", "timestamp", "datetime", cursor_type="timestamp")
NOTE = Column("note", "text", "string")


def a_table(name: str, *columns: Column, key: tuple[str, ...] = ("id",), rows: int | None = None) -> SourceTable:
    """A table with an id, a time and a text, or with the columns named."""
    return SourceTable(name, columns or (ID, UPDATED, NOTE), key, rows=rows)


@dataclass
class FakeConnector:
    """`connected` lists the settings of every connection made. `failure` is raised instead of connecting.

    `meanwhile` is called while a connection is being tried: what happens elsewhere at the same time.
    """

    spec: Spec = SPEC
    offered: list[SourceTable] = field(default_factory=list)
    connected: list[Mapping[str, Any]] = field(default_factory=list)
    failure: Exception | None = None
    meanwhile: Callable[[], object] = bool

    def check(self, settings: Mapping[str, Any], reach: Reach) -> None:
        """Log in: only one password is right."""
        self.connected.append(dict(settings))
        self.meanwhile()
        if self.failure is not None:
            raise self.failure
        if settings["password"] != PASSWORD:
            raise CredentialsError("Invalid user or password")

    def tables(self, settings: Mapping[str, Any], reach: Reach, *, count_rows: bool = False) -> list[SourceTable]:
        """What the test offers."""
        self.check(settings, reach)
        return self.offered

    def check_key(self, settings: Mapping[str, Any], reach: Reach, table: str, key: tuple[str, ...]) -> bool:
        """Keys are unique here."""
        return True

    def read(self, settings: Mapping[str, Any], reach: Reach, request: ReadRequest) -> AbstractContextManager[Reading]:
        """There are no rows to be had."""
        raise OutsideError("This connector has no rows.")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeConnector:
    """The server's connector for `MySQL`, with two tables."""
    connector = FakeConnector(offered=[a_table("countries"), a_table("orders", rows=3)])
    real = registry.get

    def get(name: str) -> Connector:
        return connector if name == NAME else real(name)

    monkeypatch.setattr(registry, "get", get)
    return connector


def settings_of(**changes: Any) -> dict[str, Any]:
    """Good settings for the fake, with changes; a change to None leaves the key out."""
    settings = {"host": "db", "port": 3306, "database": "shop", "user": "reader", "password": PASSWORD, **changes}
    return {name: value for name, value in settings.items() if value is not None}


def body_of(*schemas: dict[str, Any], prefix: str | None = None, **settings: Any) -> dict[str, Any]:
    """The body of a request that creates a source, with the tables named or `orders` in full."""
    chosen = list(schemas) or [{"name": "orders", "should_sync": True, "sync_type": "full_refresh"}]
    return {"source_type": NAME, "prefix": prefix, "payload": {**settings_of(**settings), "schemas": chosen}}
