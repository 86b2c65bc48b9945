"""The PostgreSQL connector over a real server: what is offered, who may read it, and errors in the contract's words."""

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import run
from typing import Any

import psycopg
import pytest

from hedgerow.connectors.contract import Reach, ReadRequest, Settings
from hedgerow.core.errors import (
    CredentialsError,
    ForbiddenError,
    MissingError,
    OutsideError,
    SourceQueryError,
    UnreachableError,
)
from tests.connectors.kits.sql.reading import ANYWHERE, POSTGRES, sessions, wait_for
from tests.kits.connector import ConnectorPromises, Subject
from tests.support.postgres import PostgresDatabase, PostgresServer

OTHER = "Could not connect to Postgres. Please check all connection details are valid."


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TestPromises(ConnectorPromises):
    @pytest.fixture
    def subject(self, pg_database: PostgresDatabase) -> Subject:
        pg_database.execute("""
            create table orders (id int primary key, status text not null, at timestamptz not null default now());
            insert into orders select i, 'new', '2026-01-01'::timestamptz + i * interval '1 minute'
              from generate_series(1, 500) i;
            create table lines (order_id int, line smallint, amount numeric(10,2), primary key (order_id, line));
            insert into lines select i, 1, i from generate_series(1, 500) i;
            create view totals as select count(*) as orders, max(at) as latest from orders;
        """)

        def advance() -> None:
            pg_database.execute("""
                insert into orders values (501, 'new', '2026-01-02'), (502, 'new', '2026-01-02');
                update orders set status = 'paid', at = '2026-01-02 00:00:00.000001' where id <= 10;
            """)

        wrong = pg_database.settings(password="wr0ng-secret")
        return Subject(
            POSTGRES,
            pg_database.settings(),
            "orders",
            "at",
            advance,
            secrets=(pg_database.server.password, "wr0ng-secret"),
            unreachable=pg_database.settings(port=free_port()),
            broken=(wrong, pg_database.settings(database="nowhere"), pg_database.settings(host="no.such.invalid")),
        )


# ---- what is on offer ------------------------------------------------------------------------------------------------


def offered(database: PostgresDatabase, **settings: Any) -> dict[str, Any]:
    return {table.name: table for table in POSTGRES.tables(database.settings(**settings), ANYWHERE, count_rows=True)}


def test_all_kinds_of_relations_are_offered_by_name(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table "Zebra" (id int); create table apple (id int); create table "äpfel" (id int);
        create view cherry as select 1 as one; create materialized view banana as select 1 as one;
        create table parted (id int, at date) partition by range (at);
        create table parted_2025 partition of parted for values from ('2025-01-01') to ('2026-01-01');
        create foreign data wrapper none; create server nobody foreign data wrapper none;
        create foreign table remote (line text) server nobody;
        create schema elsewhere; create table elsewhere.hidden (id int);
        create sequence not_a_table; create index not_this on apple (id); create type nor_this as (a int);
    """)

    assert list(offered(pg_database)) == [
        "Zebra", "apple", "banana", "cherry", "parted", "parted_2025", "remote", "äpfel"
    ]  # fmt: skip
    assert list(offered(pg_database, schema="elsewhere")) == ["hidden"]


@pytest.mark.parametrize("schema", [None, "", "  ", "public"])
def test_no_schema_is_public(pg_database: PostgresDatabase, schema: str | None) -> None:
    pg_database.execute("create table t (id int)")
    assert list(offered(pg_database, schema=schema)) == ["t"]


@pytest.mark.parametrize("schema", ["nowhere", "pg_catalog", "information_schema", "Public", "x'; drop table t; --"])
def test_a_schema_that_is_not_there_or_is_the_systems_has_no_tables(pg_database: PostgresDatabase, schema: str) -> None:
    assert offered(pg_database, schema=schema) == {}


def test_columns_come_in_table_order_with_types_and_cursors(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create domain cents as bigint; create domain price as numeric(8,2); create type mood as enum ('ok');
        create table t (z int not null, dropped text, a smallint, b bigint, c numeric, d numeric(10,2), e money, f real,
          g float8, h bool, i date, j timestamp, k timestamptz(3), l time, m interval, n uuid, o json, p jsonb, q int[],
          r mood, s cents, u price, v bytea, w text, x varchar(3), y inet, za int4range);
        alter table t drop column dropped;
    """)

    columns = offered(pg_database)["t"].columns

    assert [(c.name, c.type) for c in columns] == [
        ("z", "integer"), ("a", "integer"), ("b", "integer"), ("c", "string"), ("d", "decimal"), ("e", "decimal"),
        ("f", "float"), ("g", "float"), ("h", "boolean"), ("i", "date"), ("j", "datetime"), ("k", "datetime"),
        ("l", "string"), ("m", "string"), ("n", "string"), ("o", "string"), ("p", "string"), ("q", "string"),
        ("r", "string"), ("s", "integer"), ("u", "decimal"), ("v", "string"), ("w", "string"), ("x", "string"),
        ("y", "string"), ("za", "string"),
    ]  # fmt: skip
    assert {c.name: c.cursor_type for c in columns if c.cursor_type} == {
        "z": "integer", "a": "integer", "b": "integer", "s": "integer",
        "i": "date", "j": "timestamp", "k": "timestamp",
    }  # fmt: skip
    assert [c.name for c in columns if not c.nullable] == ["z"]
    assert {c.name: c.declared for c in columns}["k"] == "timestamp(3) with time zone"


def test_comments_and_exact_counts_are_told(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table t as select generate_series(1, 1234) as id; comment on table t is 'All the t';
        create table empty (); create view broken as select 1 / (id - 5) as x from t;
    """)

    tables = offered(pg_database)

    assert tables["t"].description == "All the t"
    assert {name: table.rows for name, table in tables.items()} == {"broken": 1234, "empty": 0, "t": 1234}
    assert tables["empty"].description is None


def test_counts_that_take_long_are_unknown(pg_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.connectors.kits.sql.pg_catalog.COUNT_SECONDS", 0.5)
    pg_database.execute("create table t (id int); create view slow as select 1 as a from pg_sleep(60)")
    begun = time.monotonic()

    rows = {name: table.rows for name, table in offered(pg_database).items()}

    assert rows == {"slow": None, "t": 0}
    assert time.monotonic() - begun < 5


def test_keys_are_the_declared_ones_in_key_order(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table pair (a int, b int, id int, primary key (b, a));
        create table included (id int, a int, c int); alter table included add primary key (a) include (c);
        create table only_id (id text, a int); create table none_at_all (a int unique);
        create view seen as select * from only_id;
    """)

    keys = {name: table.key for name, table in offered(pg_database).items()}

    assert keys == {"included": ("a",), "none_at_all": (), "only_id": ("id",), "pair": ("b", "a"), "seen": ("id",)}


def test_a_partitioned_parent_takes_the_partitions_key_if_they_agree(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table own (a int, at date, primary key (at, a)) partition by range (at);
        create table agree (a int, b int, at date) partition by range (at);
        create table agree_1 partition of agree (primary key (b, a)) for values from ('2025-01-01') to ('2026-01-01');
        create table agree_2 partition of agree (primary key (b, a)) for values from ('2026-01-01') to ('2027-01-01');
        create table differ (a int, b int, at date) partition by range (at);
        create table differ_1 partition of differ (primary key (a)) for values from ('2025-01-01') to ('2026-01-01');
        create table differ_2 partition of differ for values from ('2026-01-01') to ('2027-01-01');
        insert into agree values (1, 1, '2025-05-05'), (1, 1, '2026-05-05');
    """)

    keys = {name: table.key for name, table in offered(pg_database).items()}

    assert (keys["own"], keys["agree"], keys["differ"]) == (("at", "a"), ("b", "a"), ())
    assert not POSTGRES.check_key(pg_database.settings(), ANYWHERE, "agree", ("b", "a"))


@pytest.mark.parametrize(
    ("rows", "is_key"),
    [("(1, 'a'), (2, 'a')", True), ("(1, 'a'), (1, 'b')", False), ("(1, 'a'), (null, 'b')", False), (None, True)],
)
def test_a_key_that_nobody_declared_is_tried_on_the_values(
    pg_database: PostgresDatabase, rows: str | None, is_key: bool
) -> None:
    pg_database.execute("create table t (id int, name text)" + (f"; insert into t values {rows}" if rows else ""))
    assert POSTGRES.check_key(pg_database.settings(), ANYWHERE, "t", ("id",)) is is_key


def test_a_key_of_a_table_or_column_that_is_gone_is_missing(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (id int)")
    for table, key in (("gone", ("id",)), ("t", ("gone",))):
        with pytest.raises(MissingError, match="gone"):
            POSTGRES.check_key(pg_database.settings(), ANYWHERE, table, key)


# ---- rights ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def reader(pg_database: PostgresDatabase) -> Iterator[dict[str, Any]]:
    """Settings of a role that may do nothing but connect and SELECT from `allowed`."""
    role = f"reader_{pg_database.name}"
    pg_database.execute(f"""
        create role {role} login password 'reader-pw';
        create table allowed (code text, region text, at date, primary key (region, code));
        create table denied (id int primary key); create table partly (id int primary key, hidden text);
        grant select on allowed to {role}; grant select (id) on partly to {role};
    """)
    yield pg_database.settings(user=role, password="reader-pw")
    pg_database.execute(f"drop owned by {role}; drop role {role}")


def test_a_role_with_nothing_but_select_sees_keys(reader: Settings) -> None:
    tables = {table.name: table for table in POSTGRES.tables(reader, ANYWHERE, count_rows=True)}
    assert tables["allowed"].key == ("region", "code")
    assert (tables["allowed"].rows, tables["denied"].rows) == (0, None)
    assert POSTGRES.check_key(reader, ANYWHERE, "allowed", ("region", "code"))


@pytest.mark.parametrize("table", ["denied", "partly"])
def test_reading_without_the_right_is_forbidden_in_the_databases_words(reader: Settings, table: str) -> None:
    with (
        pytest.raises(ForbiddenError, match=f"permission denied for table {table}"),
        POSTGRES.read(reader, ANYWHERE, ReadRequest(table)),
    ):
        pass


# ---- connection errors (§10) -----------------------------------------------------------------------------------------


def refusal(settings: Settings, reach: Reach = ANYWHERE) -> OutsideError:
    with pytest.raises(OutsideError) as caught:
        POSTGRES.check(settings, reach)
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", " 127.0.0.1 "])
def test_names_and_addresses_of_both_kinds_connect(pg_database: PostgresDatabase, host: str) -> None:
    POSTGRES.check(pg_database.settings(host=host), ANYWHERE)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
@pytest.mark.parametrize(
    ("changes", "kind", "code", "text"),
    [
        ({"password": "no"}, CredentialsError, "credentials", "Invalid user or password"),
        ({"user": "nobody_here"}, CredentialsError, "credentials", "Invalid user or password"),
        ({"database": "nowhere"}, MissingError, "missing", "Database does not exist"),
        ({"port": 1}, UnreachableError, "unreachable", "Could not connect to the host on the port given"),
        ({"database": "a\0b"}, UnreachableError, "unreachable", OTHER),
    ],
)
def test_wrong_settings_have_their_texts(
    pg_database: PostgresDatabase, host: str, changes: dict[str, Any], kind: type[OutsideError], code: str, text: str
) -> None:
    error = refusal(pg_database.settings(host=host, **changes))
    assert (type(error), error.code, error.message) == (kind, code, text)


@pytest.mark.parametrize(
    "host",
    ["no.such.invalid", "https://db.example.com", "127.0.0.1:5432", "", "a" * 300, "..", "/tmp", "x\0y", "a,127.0.0.1"],
)
def test_hosts_that_are_none_have_the_connectors_text(pg_database: PostgresDatabase, host: str) -> None:
    error = refusal(pg_database.settings(host=host))
    assert (error.message, error.code) == ("Could not connect to the host", "unresolvable")


def test_hosts_out_of_reach_are_not_even_tried(pg_database: PostgresDatabase) -> None:
    internal = "Hosts with internal IP addresses are not allowed"
    assert refusal(pg_database.settings(), Reach("public")).message == internal
    assert refusal(pg_database.settings(host="169.254.169.254")).message == internal
    assert (
        refusal(pg_database.settings(host="no.such.invalid"), Reach("public")).message == "Host could not be resolved"
    )


def test_a_server_that_never_answers_times_out(pg_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.connectors.egress.CONNECT_SECONDS", 2)  # the least that libpq waits
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        error = refusal(pg_database.settings(port=silent.getsockname()[1]))
    assert error.message == "Connection timed out. Does your database have our IP addresses allowed?"
    assert (type(error), error.code) == (UnreachableError, "timeout")


@contextmanager
def fake_server(answer: bytes) -> Iterator[int]:
    """Answers every connection with these bytes, whatever it asks."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    if connection.recv(1024)[4:8] == b"\x04\xd2\x16\x2f":  # asks for TLS
                        connection.sendall(b"N")
                        connection.recv(1024)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def server_error(state: str, message: str) -> bytes:
    body = f"SFATAL\0VFATAL\0C{state}\0M{message}\0\0".encode()
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            server_error("57P03", "the database system is starting up"),
            "Your database is starting up or recovering. Wait a moment and try again.",
        ),
        (server_error("53300", "sorry, too many clients already"), OTHER),
        (server_error("28000", 'no pg_hba.conf entry for host "1.2.3.4", user "x"'), OTHER),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", OTHER),
        (b"", OTHER),
    ],
)
def test_servers_that_are_not_ready_or_none_at_all(answer: bytes, text: str) -> None:
    with fake_server(answer) as port:
        settings = {"host": "127.0.0.1", "port": port, "database": "d", "user": "u", "password": "p"}
        assert refusal(settings).message == text


# ---- errors of the database after connecting -------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["gone", "x.y", "'; drop table t", ""])
def test_a_table_that_is_gone_is_missing(pg_database: PostgresDatabase, table: str) -> None:
    with (
        pytest.raises(MissingError, match="does not exist"),
        POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest(table)),
    ):
        pass


def test_the_databases_own_complaint_is_kept(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create view broken as select 1 / (i - 900) as x from generate_series(1, 1000) i")
    with (
        POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("broken")) as reading,
        pytest.raises(SourceQueryError) as caught,
    ):
        list(reading.batches)
    assert caught.value.message == "division by zero"


# ---- in the server process -------------------------------------------------------------------------------------------


def test_checks_and_discovery_load_the_driver_only_and_forms_not_even_that(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (id int primary key)")
    script = f"""
import json, sys
heavy = ("psycopg", "duckdb", "pyarrow", "asyncssh", "numpy")
loaded = lambda: [name for name in heavy if name in sys.modules]
from hedgerow.connectors import registry
from hedgerow.connectors.contract import Reach
registry.wizard()
before = loaded()
postgres, settings = registry.get("Postgres"), json.loads({json.dumps(json.dumps(pg_database.settings()))})
postgres.check(settings, Reach())
postgres.tables(settings, Reach(), count_rows=True)
postgres.check_key(settings, Reach(), "t", ("id",))
print(json.dumps([before, loaded()]))
"""
    done = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], ["psycopg"]]


def test_no_connection_stays_open(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (id int primary key)")
    settings = pg_database.settings()
    POSTGRES.check(settings, ANYWHERE)
    POSTGRES.tables(settings, ANYWHERE, count_rows=True)
    with POSTGRES.read(settings, ANYWHERE, ReadRequest("t")) as reading:
        list(reading.batches)
    with pytest.raises(MissingError), POSTGRES.read(settings, ANYWHERE, ReadRequest("gone")):
        pass
    wait_for(lambda: sessions(pg_database) == [])


def test_a_restarted_server_is_met_anew(postgres: PostgresServer, pg_database: PostgresDatabase) -> None:
    postgres.stop()
    try:
        assert refusal(pg_database.settings()).message == "Could not connect to the host on the port given"
    finally:
        postgres.start()
    POSTGRES.check(pg_database.settings(), ANYWHERE)
    with psycopg.connect(pg_database.dsn) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
