"""A real `hedgerow serve` in a process of its own, with a client: for journeys and benchmarks."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

START_SECONDS = 60
IDLE_SECONDS = 30  # a server may close a connection that was idle for long; waitress does after 120 s


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any


class Server:
    """An installation in a temporary folder. `kill` is a crash; `start` after it goes on with the same folder."""

    def __init__(self, inside: Path | None = None, /, **settings: str) -> None:
        """`inside`: the folder to make the installation's folder in, if not the usual one for temporary files."""
        self.folder = Path(tempfile.mkdtemp(prefix="hedgerow-serve-", dir=inside))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEDGEROW_", "DJANGO_"))}
        self.environment["HEDGEROW_DATA_DIR"] = str(self.folder)
        self.environment |= {f"HEDGEROW_{name.upper()}": value for name, value in settings.items()}
        self.log = Path(tempfile.gettempdir()) / f"{self.folder.name}.log"
        self.address = self.key = ""
        self.project = 0
        self._process: subprocess.Popen[str] | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._asked = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def start(self) -> float:
        """Start and wait until it answers; how many seconds that took."""
        began = time.perf_counter()
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hedgerow.cli.main", "serve", "--port", "0", "--json"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.environment,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.kill()
            raise RuntimeError(f"The server did not start:\n{self.log.read_text()}")
        told = json.loads(line)
        self.address = told["address"]
        if told["first_start"]:
            self.key, self.project = told["first_start"]["key"], told["first_start"]["project_id"]
        self.until(lambda: self.request("GET", "/_livez").status == 200, START_SECONDS)
        return time.perf_counter() - began

    def stop(self) -> int:
        """Ask it kindly; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(30)
        self._close()
        return code

    def kill(self) -> None:
        """kill -9 of the server alone; whatever it started has to end by itself."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        self.hang_up()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def processes(self) -> list[psutil.Process]:
        """The server and everything below it."""
        try:
            parent = psutil.Process(self.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def request(self, method: str, path: str, body: Any = None) -> Answer:
        """One request with the key, over a kept connection; path from the root. A refused connection is status 0."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        if time.monotonic() - self._asked > IDLE_SECONDS:
            self.hang_up()
        self._asked = time.monotonic()
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=60)
        try:
            self._connection.request(method, path, data, headers)
            answer = self._connection.getresponse()
            return Answer(answer.status, _parsed(answer.read()))
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            return Answer(0, None)

    def hang_up(self) -> None:
        """Close the kept connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """One request below the project; its body. AssertionError unless it succeeds."""
        answer = self.request(method, f"/api/environments/{self.project}/{path}", body)
        assert 200 <= answer.status < 300, f"{method} {path}: {answer.status} {answer.body}"
        return answer.body

    def sql(self, query: str) -> list[list[Any]]:
        """The rows of a query."""
        body = {"query": {"kind": "HogQLQuery", "query": query}, "refresh": "force_blocking"}
        rows: list[list[Any]] = self.api("POST", "query/", body)["results"]
        return rows

    def until(self, condition: Callable[[], Any], seconds: float = 30, every: float = 0.05) -> Any:
        """What the condition answers once that is true; AssertionError with the log's end when it does not come."""
        deadline = time.monotonic() + seconds
        while not (answer := condition()):
            assert time.monotonic() < deadline, f"it did not happen in {seconds} s:\n{self.log.read_text()[-4000:]}"
            time.sleep(every)
        return answer

    def settled(self, source_id: str, seconds: float = 60) -> Any:
        """The source once nothing of it is running."""

        def quiet() -> Any:
            answer = self.request("GET", f"/api/environments/{self.project}/external_data_sources/{source_id}/")
            source = answer.body if answer.status == 200 else None
            return source if source and all(s["status"] != "Running" for s in source["schemas"]) else None

        return self.until(quiet, seconds)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")
