"""Texts that no server of the tests can be brought to say."""

import pytest

from hedgerow.connectors.kits.sql.pg_connect import connect_error, reported_error
from hedgerow.core.errors import (
    AppError,
    CredentialsError,
    ForbiddenError,
    InterruptedReadError,
    SourceQueryError,
    UnreachableError,
)

HERE = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (
            "server does not support SSL, but SSL was required",
            UnreachableError,
            "SSL/TLS connection is required but your database does not support it. "
            "Please enable SSL/TLS on your PostgreSQL server.",
        ),
        ("FATAL:  SASL authentication failed", CredentialsError, "Invalid user or password"),
        ("fe_sendauth: no password supplied", CredentialsError, "Invalid user or password"),
        (
            "FATAL:  the database system is not yet accepting connections",
            UnreachableError,
            "Your database is starting up or recovering. Wait a moment and try again.",
        ),
        (
            "connection timeout expired",
            UnreachableError,
            "Connection timed out. Does your database have our IP addresses allowed?",
        ),
        (
            "No route to host",
            UnreachableError,
            "Could not connect to Postgres. Please check all connection details are valid.",
        ),
    ],
)
def test_what_drivers_say_at_connecting(said: str, kind: type[AppError], text: str) -> None:
    error = connect_error(HERE + said, tunnelled=False)
    assert (type(error), error.message) == (kind, text)


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (
            "IO Error: Failed to fetch header for COPY: ERROR:  permission denied for table t\n",
            ForbiddenError,
            "permission denied for table t",
        ),
        (
            "IO Error: Postgres binary reader - out of buffer in ReadString",
            InterruptedReadError,
            "The connection to the database was lost.",
        ),
        ("IO Error: x: ERROR:  custom\nHINT:  do not\nCONTEXT:  f() line 1\n", SourceQueryError, "custom"),
        (
            "IO Error: x: ERROR:  canceling statement due to conflict with recovery\n",
            InterruptedReadError,
            "canceling statement due to conflict with recovery",
        ),
        (
            "IO Error: Unable to read: server closed the connection unexpectedly\n",
            InterruptedReadError,
            "The connection to the database was lost.",
        ),
        ("Invalid Input Error: something of its own at 10.0.0.1", SourceQueryError, "The query failed."),
    ],
)
def test_what_the_fast_reader_hands_on(said: str, kind: type[AppError], text: str) -> None:
    error = reported_error(said)
    assert (type(error), error.message) == (kind, text)
