"""Connections to PostgreSQL, and its errors in the words of the contract (§10) and of `core.errors`."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hedgerow.connectors import egress
from hedgerow.connectors.contract import Reach, Settings
from hedgerow.connectors.kits.sql.pg_silence import Watch
from hedgerow.core.errors import (
    CredentialsError,
    ForbiddenError,
    InterruptedReadError,
    MissingError,
    OutsideError,
    SourceQueryError,
    UnreachableError,
)

if TYPE_CHECKING:
    import psycopg

OTHER: Final = "Could not connect to Postgres. Please check all connection details are valid."
TUNNEL: Final = "Could not connect to Postgres via the SSH tunnel. Please check all connection details are valid."
_UNREACHABLE: Final = ("unreachable", UnreachableError)
_CONNECT_TEXTS: Final[tuple[tuple[tuple[str, ...], str, str, type[OutsideError]], ...]] = (
    (
        (
            "password authentication failed for user",
            "Wrong password",
            "SASL authentication failed",
            "no password supplied",
        ),
        "Invalid user or password",
        "credentials",
        CredentialsError,
    ),
    (
        ("could not translate host name", "Name or service not known"),
        "Could not connect to the host",
        "unresolvable",
        UnreachableError,
    ),
    (
        ("Is the server running on that host and accepting TCP/IP connections", "Connection refused"),
        "Could not connect to the host on the port given",
        *_UNREACHABLE,
    ),
    (('database "',), "Database does not exist", "missing", MissingError),
    (
        ("timeout expired",),
        "Connection timed out. Does your database have our IP addresses allowed?",
        "timeout",
        UnreachableError,
    ),
    (
        ("the database system is starting up", "the database system is not yet accepting connections"),
        "Your database is starting up or recovering. Wait a moment and try again.",
        *_UNREACHABLE,
    ),
    (
        ("server does not support SSL",),
        "SSL/TLS connection is required but your database does not support it. "
        "Please enable SSL/TLS on your PostgreSQL server.",
        *_UNREACHABLE,
    ),
)
_DIRECT_TEXTS: Final = ("Invalid user or password", "Database does not exist")
"""What is true of the database itself, tunnel or not."""


@dataclass(frozen=True)
class Target:
    """A checked address (or the tunnel's end) with the login for it: what every connection of one operation uses."""

    parameters: Mapping[str, str]
    tunnelled: bool
    watch: Watch

    def connect(self) -> "psycopg.Connection[Any]":
        """A new connection, not in autocommit mode. Raises OutsideError kinds with the texts of §10."""
        import psycopg

        if self.watch.gave_up:
            raise InterruptedReadError(LOST)
        try:
            connection = psycopg.connect(**self.parameters)  # type: ignore[arg-type] # parameters are all text
        except psycopg.Error as error:
            raise connect_error(str(error), tunnelled=self.tunnelled) from None
        self.watch.add(connection)
        return connection

    @property
    def conninfo(self) -> str:
        """The same as a libpq connection string. Holds the password: never shown."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo("", **self.parameters)


@contextmanager
def target(settings: Settings, reach: Reach) -> Iterator[Target]:
    """Resolve and check the host, or open the tunnel, for as long as the context lasts.

    A source that falls silent meanwhile raises InterruptedReadError (see `pg_silence`).
    """
    host, port = str(settings["host"]), int(settings["port"])
    ssh: Any = settings.get("ssh_tunnel")
    if not egress.tunnel_wanted(ssh):
        found = egress.addresses(host, reach)
        address = {"host": ",".join([host] * len(found)), "hostaddr": ",".join(found), "port": str(port)}
        with _watched(_parameters(settings, address), reach, tunnelled=False) as where:
            yield where
        return
    with ExitStack() as stack:
        try:
            local_host, local_port = stack.enter_context(egress.tunnel(ssh, reach, host, port))
        except OutsideError as error:
            if error.message != egress.TUNNEL_FAILED:
                raise
            raise type(error)(TUNNEL) from None
        parameters = _parameters(settings, {"host": local_host, "port": str(local_port)})
        yield stack.enter_context(_watched(parameters, reach, tunnelled=True))


@contextmanager
def _watched(parameters: Mapping[str, str], reach: Reach, *, tunnelled: bool) -> Iterator[Target]:
    with Watch(parameters, reach.silence_seconds) as watch:
        try:
            yield Target({**parameters, "application_name": watch.name}, tunnelled, watch)
        except OutsideError:
            if watch.gave_up:
                raise InterruptedReadError(SILENT.format(reach.silence_seconds)) from None
            raise


def _parameters(settings: Settings, address: Mapping[str, str]) -> dict[str, str]:
    login = {
        name: str(settings[key]) for name, key in (("dbname", "database"), ("user", "user"), ("password", "password"))
    }
    if any("\0" in value for value in login.values()):  # the driver would cut everything off there
        raise UnreachableError(OTHER)
    return {
        **address,
        **login,
        "sslmode": "prefer",
        "gssencmode": "disable",
        "connect_timeout": str(egress.CONNECT_SECONDS),
        "client_encoding": "UTF8",
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
    }


def connect_error(driver_text: str, *, tunnelled: bool) -> OutsideError:
    """The driver's message at connecting, as the text of §10 (first match)."""
    for marks, text, code, kind in _CONNECT_TEXTS:
        if any(mark in driver_text for mark in marks):
            return kind(TUNNEL if tunnelled and text not in _DIRECT_TEXTS else text, code=code)
    return UnreachableError(TUNNEL if tunnelled else OTHER)


# ---- errors after connecting -----------------------------------------------------------------------------------------

_BY_STATE: Final[tuple[tuple[tuple[str, ...], type[OutsideError]], ...]] = (
    (("28",), CredentialsError),
    (("42501",), ForbiddenError),
    (("42P01", "42703", "3F000"), MissingError),
    (("08", "57P", "40001", "40P01", "57014", "25P03", "53"), InterruptedReadError),
)
_BY_TEXT: Final[tuple[tuple[tuple[str, ...], type[OutsideError]], ...]] = (
    (("permission denied for",), ForbiddenError),
    (
        (
            "terminating connection",
            "server closed the connection",
            "connection to server was lost",
            "no connection to the server",
            "could not receive data from server",
            "SSL connection has been closed",
            "SSL SYSCALL error",
            "Connection reset",
            "canceling statement",
            "deadlock detected",
            "could not serialize",
            "conflict with recovery",
            "the database system is",
        ),
        InterruptedReadError,
    ),
)
LOST: Final = "The connection to the database was lost."
SILENT: Final = "The source stopped answering: nothing came for {:g} seconds, and it is not at work on the query."


def query_error(error: "psycopg.Error") -> OutsideError:
    """An error of a connected session, by its SQLSTATE, in the database's own words."""
    state, message = error.sqlstate, error.diag.message_primary
    if state is None or message is None:  # the connection itself failed
        return InterruptedReadError(LOST)
    kind = next((kind for states, kind in _BY_STATE if state.startswith(states)), SourceQueryError)
    return kind(message)


def reported_error(text: str) -> OutsideError:
    """An error of the fast reader, which hands on the database's message inside its own and no SQLSTATE."""
    message = database_message(text)
    # Without a word of the database it could not make sense of what came: spoiled on the way.
    usual = InterruptedReadError if text.startswith("IO Error") and not message else SourceQueryError
    kind = next((kind for marks, kind in _BY_TEXT if any(mark in text for mark in marks)), usual)
    return kind(LOST if kind is InterruptedReadError and not message else message or "The query failed.")


def database_message(text: str) -> str:
    """The part of a reader's message that the database wrote: `… ERROR:  division by zero` → `division by zero`."""
    for mark in ("ERROR:", "FATAL:"):
        _, found, rest = text.partition(mark)
        if found:
            return rest.strip().partition("\n")[0].strip()
    return ""
