"""PostgreSQL (contract §10): databases of one schema, copied table by table."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from hedgerow.connectors.contract import Reach, Reading, ReadRequest, Settings, SourceTable
from hedgerow.connectors.kits.sql import pg_catalog, pg_connect
from hedgerow.connectors.spec import Input, Spec, SSHTunnel
from hedgerow.core.errors import MissingError

if TYPE_CHECKING:
    import psycopg

SPEC: Final = Spec(
    name="Postgres",
    caption="Connect a PostgreSQL database and copy the tables you choose.",
    category="Databases",
    permissions_caption="A role that may connect and has `SELECT` on the tables to copy.",
    featured=True,
    fields=(
        Input("host", "Host", placeholder="db.example.com"),
        Input("port", "Port", "number", placeholder="5432"),
        Input("database", "Database", placeholder="postgres"),
        Input("user", "User", placeholder="postgres"),
        Input("password", "Password", "password", secret=True),
        Input("schema", "Schema", required=False, placeholder="public"),
        SSHTunnel(),
    ),
)
DEFAULT_SCHEMA: Final = "public"


class PostgresConnector:
    """See `contract.Connector`. The driver is imported when first connecting, the fast reader when first reading."""

    spec = SPEC

    def check(self, settings: Settings, reach: Reach) -> None:
        """Log in and run a query."""
        with _session(settings, reach) as connection:
            connection.execute("select 1")

    def tables(self, settings: Settings, reach: Reach, *, count_rows: bool = False) -> list[SourceTable]:
        """Tables, views and the like of the schema; none when there is no such schema."""
        with _session(settings, reach) as connection:
            found = pg_catalog.relations(connection, _schema(settings))
            counts = pg_catalog.count_rows(connection, found) if count_rows else {}
        return [pg_catalog.offer(relation, counts.get(relation.name)) for relation in found]

    def check_key(self, settings: Settings, reach: Reach, table: str, key: tuple[str, ...]) -> bool:
        """True at once for the declared primary key, else by a look at the values."""
        with _session(settings, reach) as connection:
            found = pg_catalog.relations(connection, _schema(settings), table)
            if not found:
                raise MissingError(f'relation "{_schema(settings)}.{table}" does not exist')
            return pg_catalog.is_unique(connection, found[0], key)

    @contextmanager
    def read(self, settings: Settings, reach: Reach, request: ReadRequest) -> Iterator[Reading]:
        """Read one snapshot of a table."""
        from hedgerow.connectors.kits.sql import pg_read

        with pg_connect.target(settings, reach) as where, pg_read.read(where, _schema(settings), request) as reading:
            yield reading


@contextmanager
def _session(settings: Settings, reach: Reach) -> Iterator["psycopg.Connection[Any]"]:
    """A connection for short questions. Errors of the database become OutsideError kinds with its own message."""
    import psycopg

    with pg_connect.target(settings, reach) as where, contextlib.closing(where.connect()) as connection:
        connection.autocommit = True
        try:
            yield connection
        except psycopg.Error as error:
            raise pg_connect.query_error(error) from None


def _schema(settings: Settings) -> str:
    return str(settings.get("schema") or "").strip() or DEFAULT_SCHEMA


CONNECTOR = PostgresConnector()
