"""Which addresses may be reached; SSH tunnels (contract §6.3, §6.5).

Addresses are resolved once, checked, and then connected to: callers hand the checked address to the driver, so a name
cannot be re-pointed between check and use. Heavy parts (asyncssh) are imported when a tunnel is used.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from hedgerow.connectors.contract import Reach
from hedgerow.core.errors import CredentialsError, OutsideError, UnreachableError

if TYPE_CHECKING:
    import asyncssh

CONNECT_SECONDS: Final = 15
INTERNAL: Final = "Hosts with internal IP addresses are not allowed"
UNRESOLVED: Final = "Host could not be resolved"
TUNNEL_FAILED: Final = "Could not connect via the SSH tunnel. Please check all connection details are valid."
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_CLOSED_PORTS: Final = (80, 443)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def resolve(host: str, reach: Reach) -> str:
    """The address to connect to: the first of `addresses`."""
    return addresses(host, reach)[0]


def addresses(host: str, reach: Reach) -> list[str]:
    """All addresses of `host`, in the resolver's order, every one of them allowed.

    Raises UnreachableError: code `refused` with the text of §6.3 when one is not allowed; code `unresolvable` when
    there is none (under the private policy with the text of §10, since nothing is refused by name there).
    """
    found = _lookup(host)
    if not found:
        raise UnreachableError(
            UNRESOLVED if reach.policy == "public" else "Could not connect to the host", code="unresolvable"
        )
    if any(_refused(address, reach) for address in found):
        raise UnreachableError(INTERNAL, code="refused", hint="Use a host outside this server's own network.")
    return [str(address) for address in found]


def _lookup(host: str) -> list[Address]:
    """Addresses of a name or literal (with or without brackets); empty for anything that is neither."""
    name = host.strip().removeprefix("[").removesuffix("]")
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM) if name else []
        literals = [str(answer[4][0]).partition("%")[0] for answer in answers]
        return [ipaddress.ip_address(literal) for literal in dict.fromkeys(literals)]
    except (OSError, ValueError):  # ValueError: names that no encoding of the resolver takes
        return []


def _refused(address: Address, reach: Reach) -> bool:
    address = _inner(address)
    if reach.policy == "public" and not address.is_global:
        return True
    if address.is_loopback:  # Python counts ::1 among the reserved ones
        return False
    return address.is_link_local or address.is_multicast or address.is_reserved or address.is_unspecified


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


# ---- SSH tunnels -----------------------------------------------------------------------------------------------------


def tunnel_wanted(ssh: Any) -> bool:
    """Whether settings' `ssh_tunnel` is switched on; `enabled` may be a text."""
    return isinstance(ssh, Mapping) and str(ssh.get("enabled", False)).strip().lower() in ("true", "1", "on", "yes")


def tunnel_options(ssh: Mapping[str, Any], reach: Reach) -> dict[str, Any]:
    """Options for asyncssh to connect with: address, port and login, after the checks of §6.5 in their order.

    Raises OutsideError kinds with the contract's texts.
    """
    host, port = _text(ssh, "host"), _text(ssh, "port")
    address = _ssh_address(host, reach) if host else ""
    credentials = _credentials(ssh)
    if port.isdecimal() and int(port) in _CLOSED_PORTS:
        raise UnreachableError(f"Port {int(port)} is not allowed")
    for name, value in (("host", host), ("port", port)):
        if not value:
            raise UnreachableError(f"Invalid source config: Required field 'ssh_tunnel.{name}' is missing")
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise UnreachableError("Invalid source config: Field 'ssh_tunnel.port' must be a number")
    return {"host": address, "port": int(port), **credentials}


@contextmanager
def tunnel(ssh: Mapping[str, Any], reach: Reach, host: str, port: int) -> Iterator[tuple[str, int]]:
    """Forward a local port to `host:port` as the SSH server sees it; yields the local address and port.

    The SSH server's host key is not verified: there is no place yet to say which key is expected. Raises
    OutsideError kinds: the texts of `tunnel_options`, or TUNNEL_FAILED when the tunnel cannot be opened.
    """
    options = tunnel_options(ssh, reach)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="ssh-tunnel", daemon=True)
    thread.start()
    try:
        connection = asyncio.run_coroutine_threadsafe(_open(options), loop).result()
        try:
            local_port = asyncio.run_coroutine_threadsafe(_forward(connection, host, port), loop).result()
            yield "127.0.0.1", local_port
        finally:
            asyncio.run_coroutine_threadsafe(_close(connection), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _open(options: dict[str, Any]) -> "asyncssh.SSHClientConnection":
    import asyncssh

    try:
        return await asyncssh.connect(
            known_hosts=None,
            agent_path=None,
            config=None,
            connect_timeout=CONNECT_SECONDS,
            login_timeout=CONNECT_SECONDS,
            keepalive_interval=15,
            **options,
        )
    except asyncssh.PermissionDenied as error:
        raise CredentialsError(TUNNEL_FAILED) from error
    except (asyncssh.Error, OSError) as error:
        raise UnreachableError(TUNNEL_FAILED) from error


async def _forward(connection: "asyncssh.SSHClientConnection", host: str, port: int) -> int:
    listener = await connection.forward_local_port("127.0.0.1", 0, host, port)
    return listener.get_port()


async def _close(connection: "asyncssh.SSHClientConnection") -> None:
    connection.abort()
    await connection.wait_closed()


def _ssh_address(host: str, reach: Reach) -> str:
    try:
        return resolve(host, reach)
    except UnreachableError as error:
        reason = UNRESOLVED if error.code == "unresolvable" else error.message
        raise UnreachableError(f"SSH tunnel host not allowed: {reason}", code=error.code) from error


def _credentials(ssh: Mapping[str, Any]) -> dict[str, Any]:
    """Login options of asyncssh from `auth` (also spelled `auth_type`, its `selection` also `type`)."""
    auth = ssh.get("auth") or ssh.get("auth_type")
    auth = auth if isinstance(auth, Mapping) else {}
    selection = _text(auth, "selection") or _text(auth, "type")
    username, password = _text(auth, "username"), str(auth.get("password") or "")
    if selection not in ("password", "keypair"):
        raise _login_error("Authentication type not recognised")
    if selection == "password":
        if not username or not password:
            raise _login_error("Username and password required")
        return {"username": username, "password": password, "client_keys": None}
    key = _key(str(auth.get("private_key") or ""), str(auth.get("passphrase") or ""))
    return {"client_keys": [key], **({"username": username} if username else {})}


def _key(text: str, passphrase: str) -> "asyncssh.SSHKey":
    if not text.strip():
        raise _login_error("Private key is required")
    import asyncssh

    try:
        return asyncssh.import_private_key(text.strip() + "\n", passphrase or None)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as error:
        raise _login_error("Private key could not be parsed") from error


def _login_error(text: str) -> OutsideError:
    return CredentialsError(text, hint="Correct the SSH tunnel's authentication in the source's settings.")


def _text(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    return "" if value is None else str(value).strip()
