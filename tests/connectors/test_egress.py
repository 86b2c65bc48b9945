"""Addresses, and tunnels through a real SSH server."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncssh
import pytest

from hedgerow.connectors import egress
from hedgerow.connectors.contract import Reach, ReadRequest, Settings
from hedgerow.core.errors import CredentialsError, OutsideError, UnreachableError
from tests.connectors.kits.sql.reading import ANYWHERE, POSTGRES
from tests.support.postgres import PostgresDatabase

PUBLIC = Reach("public")
INTERNAL = "Hosts with internal IP addresses are not allowed"
TUNNEL = "Could not connect to Postgres via the SSH tunnel. Please check all connection details are valid."
PASSWORD = "ssh-s3cret"
PASSPHRASE = "key-s3cret"

# ---- addresses (§6.3) ------------------------------------------------------------------------------------------------

NEVER = [
    "169.254.169.254", "fe80::1", "fe80::1%lo", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "240.0.0.1", "255.255.255.255",
    "::ffff:169.254.169.254", "::ffff:0.0.0.0", "[fe80::1]", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1",
    "2852039166", "0xa9fea9fe", "100::1",
]  # fmt: skip
INSIDE = [
    "127.0.0.1",
    "localhost",
    "10.1.2.3",
    "192.168.0.1",
    "172.16.0.1",
    "::1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "100.64.0.1",
]
OUTSIDE = ["93.184.216.34", "2606:2800:220:1::1", "::ffff:5db8:d822"]


@pytest.mark.parametrize("host", NEVER)
def test_some_addresses_are_refused_always(host: str) -> None:
    for reach in (ANYWHERE, PUBLIC):
        with pytest.raises(UnreachableError) as caught:
            egress.resolve(host, reach)
        assert (caught.value.message, caught.value.code) == (INTERNAL, "refused")


@pytest.mark.parametrize("host", INSIDE)
def test_internal_addresses_are_refused_where_only_public_ones_are_allowed(host: str) -> None:
    assert egress.resolve(host, ANYWHERE)
    with pytest.raises(UnreachableError, match=INTERNAL):
        egress.resolve(host, PUBLIC)


@pytest.mark.parametrize("host", OUTSIDE)
def test_public_addresses_are_allowed_and_answered(host: str) -> None:
    for reach in (ANYWHERE, PUBLIC):
        assert egress.resolve(host, reach) == host


def test_brackets_and_blanks_around_an_address_do_not_matter() -> None:
    assert egress.resolve(" [2606:2800:220:1::1] ", PUBLIC) == "2606:2800:220:1::1"


@pytest.mark.parametrize(
    "host", ["no.such.invalid", "https://example.com", "1.2.3.4:80", "", "a" * 300, "..", "x\0y", "é" * 70]
)
def test_what_is_no_host_does_not_resolve(host: str) -> None:
    for reach, text in ((ANYWHERE, "Could not connect to the host"), (PUBLIC, "Host could not be resolved")):
        with pytest.raises(UnreachableError) as caught:
            egress.resolve(host, reach)
        assert (caught.value.message, caught.value.code) == (text, "unresolvable")


def test_a_name_is_refused_if_one_of_its_addresses_is(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    assert egress.addresses("two.example.com", ANYWHERE) == ["93.184.216.34", "10.0.0.1"]
    with pytest.raises(UnreachableError, match=INTERNAL):
        egress.addresses("two.example.com", PUBLIC)


# ---- tunnel settings (§6.5) ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> str:
    """A private key, encrypted with PASSPHRASE."""
    return (
        asyncssh.generate_private_key("ssh-ed25519")
        .export_private_key(passphrase=PASSPHRASE, rounds=1, ignore_few_rounds=True)
        .decode()
    )


def ssh(**changes: Any) -> dict[str, Any]:
    auth = {"selection": "password", "username": "u", "password": PASSWORD}
    return {"enabled": True, "host": "127.0.0.1", "port": 22, "auth": auth, **changes}


def keypair(**parts: Any) -> dict[str, Any]:
    return ssh(auth={"selection": "keypair", "username": "u", **parts})


def test_nothing_is_checked_of_a_tunnel_that_is_off() -> None:
    for off in (
        None,
        {},
        {"enabled": False, "port": 80},
        {"enabled": "false"},
        "text",
        {"enabled": "False"},
        {"enabled": 0},
    ):
        assert not egress.tunnel_wanted(off)


@pytest.mark.parametrize("on", [True, "true", "True", "1", 1])
def test_a_tunnel_is_on_in_several_spellings(on: Any) -> None:
    assert egress.tunnel_wanted({"enabled": on})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (ssh(host="169.254.169.254"), f"SSH tunnel host not allowed: {INTERNAL}"),
        (ssh(host="no.such.invalid"), "SSH tunnel host not allowed: Host could not be resolved"),
        (ssh(auth={}), "Authentication type not recognised"),
        (ssh(auth=None), "Authentication type not recognised"),
        (ssh(auth={"selection": "magic"}), "Authentication type not recognised"),
        (ssh(auth={"selection": "password", "username": "u"}), "Username and password required"),
        (ssh(auth={"selection": "password", "password": "p"}), "Username and password required"),
        (keypair(), "Private key is required"),
        (keypair(private_key="  "), "Private key is required"),
        (keypair(private_key="nonsense"), "Private key could not be parsed"),
        (ssh(port=80), "Port 80 is not allowed"),
        (ssh(port="443"), "Port 443 is not allowed"),
        (ssh(host=None), "Invalid source config: Required field 'ssh_tunnel.host' is missing"),
        (ssh(host=" "), "Invalid source config: Required field 'ssh_tunnel.host' is missing"),
        (ssh(port=None), "Invalid source config: Required field 'ssh_tunnel.port' is missing"),
        (ssh(port="ssh"), "Invalid source config: Field 'ssh_tunnel.port' must be a number"),
        (ssh(port=70000), "Invalid source config: Field 'ssh_tunnel.port' must be a number"),
        # the order of the checks
        (ssh(host="0.0.0.0", auth={}, port=80), f"SSH tunnel host not allowed: {INTERNAL}"),
        (ssh(host=None, auth={}, port=80), "Authentication type not recognised"),
        (ssh(host=None, port=80), "Port 80 is not allowed"),
    ],
)
def test_tunnel_settings_have_their_texts(given: Settings, text: str) -> None:
    with pytest.raises(OutsideError) as caught:
        egress.tunnel_options(given, ANYWHERE)
    assert caught.value.message == text


def test_the_ssh_host_follows_the_policy_too() -> None:
    egress.tunnel_options(ssh(), ANYWHERE)
    with pytest.raises(UnreachableError, match=f"SSH tunnel host not allowed: {INTERNAL}"):
        egress.tunnel_options(ssh(), PUBLIC)


def test_other_spellings_of_the_login_are_read(key: str) -> None:
    egress.tunnel_options(ssh(auth=None, auth_type={"type": "password", "username": "u", "password": "p"}), ANYWHERE)
    egress.tunnel_options(keypair(private_key=f"\n{key}\n\n", passphrase=PASSPHRASE), ANYWHERE)


@pytest.mark.parametrize("passphrase", ["wrong", "", None])
def test_a_key_needs_its_passphrase(key: str, passphrase: str | None) -> None:
    with pytest.raises(CredentialsError, match="Private key could not be parsed"):
        egress.tunnel_options(keypair(private_key=key, passphrase=passphrase), ANYWHERE)


# ---- tunnels ---------------------------------------------------------------------------------------------------------


@dataclass
class SSHServer:
    """A real SSH server that forwards; `forwarded` are the targets asked for, `open` how many are connected."""

    port: int
    forwarded: list[tuple[str, int]]
    open: int = 0


@pytest.fixture
def ssh_server(key: str) -> Iterator[SSHServer]:
    state = SSHServer(0, [])
    public = asyncssh.import_private_key(key, PASSPHRASE).convert_to_public()

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            state.open += 1

        def connection_lost(self, exc: Exception | None) -> None:
            state.open -= 1

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("u", PASSWORD)

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return username == "u" and key == public

        def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
            state.forwarded.append((dest_host, dest_port))
            return True

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        return await asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[host_key])

    async def close(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        await acceptor.wait_closed()

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    state.port = acceptor.get_port()
    yield state
    asyncio.run_coroutine_threadsafe(close(acceptor), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_everything_goes_through_the_tunnel(ssh_server: SSHServer, pg_database: PostgresDatabase, key: str) -> None:
    pg_database.execute("create table t (id int primary key); insert into t values (1), (2)")
    logins = (
        {"selection": "password", "username": "u", "password": PASSWORD},
        {"selection": "keypair", "username": "u", "private_key": key, "passphrase": PASSPHRASE},
    )
    for auth in logins:
        # A name that only the SSH server's side need know, and that the policy would refuse here.
        settings = pg_database.settings(host="127.0.0.1", ssh_tunnel=ssh(port=str(ssh_server.port), auth=auth))
        POSTGRES.check(settings, ANYWHERE)
        assert [table.key for table in POSTGRES.tables(settings, ANYWHERE)] == [("id",)]
        with POSTGRES.read(settings, ANYWHERE, ReadRequest("t")) as reading:
            assert sum(batch.num_rows for batch in reading.batches) == 2
    assert set(ssh_server.forwarded) == {("127.0.0.1", pg_database.server.port)}
    assert ssh_server.open == 0


def test_only_the_ssh_host_is_checked_when_there_is_a_tunnel(ssh_server: SSHServer) -> None:
    settings = {"host": "169.254.169.254", "port": 5432, "database": "d", "user": "u", "password": "p"}
    with pytest.raises(OutsideError) as caught:
        POSTGRES.check({**settings, "ssh_tunnel": ssh(port=ssh_server.port)}, PUBLIC)
    assert caught.value.message == f"SSH tunnel host not allowed: {INTERNAL}"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"auth": {"selection": "password", "username": "u", "password": "wrong"}}, CredentialsError),
        ({"port": 1}, UnreachableError),
    ],
)
def test_a_tunnel_that_cannot_be_opened_has_its_text(
    ssh_server: SSHServer, pg_database: PostgresDatabase, changes: dict[str, Any], kind: type[OutsideError]
) -> None:
    settings = pg_database.settings(ssh_tunnel=ssh(port=ssh_server.port) | changes)
    with pytest.raises(OutsideError) as caught:
        POSTGRES.check(settings, ANYWHERE)
    assert (type(caught.value), caught.value.message) == (kind, TUNNEL)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"password": "wrong"}, "Invalid user or password"),
        ({"database": "nowhere"}, "Database does not exist"),
        ({"port": 1}, TUNNEL),
        ({"host": "no.such.invalid"}, TUNNEL),
    ],
)
def test_behind_the_tunnel_the_database_speaks_for_itself(
    ssh_server: SSHServer, pg_database: PostgresDatabase, changes: dict[str, Any], text: str
) -> None:
    settings = pg_database.settings(ssh_tunnel=ssh(port=ssh_server.port), **changes)
    with pytest.raises(OutsideError) as caught:
        POSTGRES.check(settings, ANYWHERE)
    assert caught.value.message == text


def test_a_server_that_speaks_no_ssh_does_not_hold_us_up(
    pg_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "CONNECT_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings = pg_database.settings(ssh_tunnel=ssh(port=silent.getsockname()[1]))
        with pytest.raises(UnreachableError, match="via the SSH tunnel"):
            POSTGRES.check(settings, ANYWHERE)


def test_nothing_is_left_of_a_closed_tunnel(ssh_server: SSHServer) -> None:
    before = threading.active_count()
    with egress.tunnel(ssh(port=ssh_server.port), ANYWHERE, "127.0.0.1", 1) as (host, port):
        assert host == "127.0.0.1"
        socket.create_connection((host, port)).close()
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port))
