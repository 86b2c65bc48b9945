"""`hedgerow serve` and `worker` as programs: ready soon, alone on their folder, gone when asked."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.support.server import Server

pytestmark = pytest.mark.journey


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def _doctor(server: Server) -> dict[str, Any]:
    command = [sys.executable, "-m", "hedgerow.cli.main", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=server.environment)
    report: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) == report["ok"]
    return report


def _wrong(server: Server) -> list[str]:
    return [check["name"] for check in _doctor(server)["checks"] if not check["ok"]]


def test_the_first_start_gives_a_key_that_works_and_the_second_gives_none(server: Server) -> None:
    assert server.request("GET", "/_livez").body == {"http": True}
    me = server.request("GET", "/api/users/@me/")
    assert (me.status, me.body["team"]["id"]) == (200, server.project)

    key, server.key = server.key, ""
    assert server.stop() == 0
    server.start()
    assert server.key == ""
    server.key = key
    assert server.request("GET", "/api/users/@me/").status == 200


def test_a_second_server_on_the_same_folder_is_refused(server: Server, program: Command) -> None:
    second = program("serve", "--port", "0", data_dir=server.folder)

    assert second.code == 1
    assert f"Another server (process {server.pid}) is using the folder {server.folder}" in second.err
    assert "HEDGEROW_DATA_DIR" in second.err
    assert server.request("GET", "/_livez").status == 200


def test_the_same_folder_by_another_path_is_refused_too(server: Server, program: Command, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(server.folder)

    for command in (["serve", "--port", "0"], ["worker"]):
        second = program(*command, "--json", data_dir=tmp_path / "alias")
        assert second.code == 1
        error = json.loads(second.err)["error"]
        assert f"Another {command[0].replace('serve', 'server')} (process {server.pid}) is using" in error["why"]
        assert "Traceback" not in second.err


def test_a_killed_server_leaves_the_folder_free(server: Server) -> None:
    server.kill()

    server.start()

    assert server.request("GET", "/_livez").status == 200


def test_a_taken_port_is_said_plainly(server: Server, program: Command) -> None:
    port = server.address.rsplit(":", 1)[1]

    refused = program("serve", "--port", port)

    assert refused.code == 1
    assert f"Why:  Cannot listen on 127.0.0.1:{port}: " in refused.err
    assert "--port" in refused.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_people_are_told_the_address_the_key_and_three_lines(number: signal.Signals) -> None:
    server = Server()
    command = [sys.executable, "-m", "hedgerow.cli.main", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=server.environment) as process:
        assert process.stdout is not None
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith("Ready on "):
                break
        process.send_signal(number)
        assert process.wait(15) == 0

    address = re.fullmatch(r"Ready on (http://127\.0\.0\.1:\d+)", told.splitlines()[-1])
    assert address
    key = re.search(r"Key +(phx_\w+)", told)
    assert key
    lines = [line for line in told.splitlines() if "curl " in line]
    assert len(lines) == 3
    assert all(key[1] in line and address[1] in line for line in lines)


def test_two_processes_may_share_the_work_of_one_folder(program: Command) -> None:
    server = Server()
    environment = server.environment
    serve = [sys.executable, "-m", "hedgerow.cli.main", "serve", "--port", "0", "--no-worker", "--json"]
    work = [sys.executable, "-m", "hedgerow.cli.main", "worker", "--json"]
    with (
        subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=environment) as door,
        subprocess.Popen(work, stdout=subprocess.PIPE, text=True, env=environment) as worker,
    ):
        assert door.stdout is not None
        assert worker.stdout is not None
        assert "address" in json.loads(door.stdout.readline())
        assert json.loads(worker.stdout.readline()) == {"worker": "ready"}
        assert _wrong(server) == []

        second = program("worker", data_dir=server.folder)
        assert second.code == 1
        assert f"Another worker (process {worker.pid})" in second.err

        for process in (door, worker):
            process.terminate()
            assert process.wait(15) == 0
    assert _wrong(server) == ["worker"]


def test_doctor_finds_a_running_installation_well(server: Server) -> None:
    report = _doctor(server)

    assert report["ok"] is True
    names = [check["name"] for check in report["checks"]]
    assert names == [
        *("python", "data folder", "files", "free disk", "storage", "database", "in use by", "worker", "leases"),
        *("runs", "queue", "clock", "secret key", "switched off", "tables", "files of tables", "unknown tables"),
        *("ahead", "leftovers", "file times"),
    ]
    holders = next(check["found"] for check in report["checks"] if check["name"] == "in use by")
    assert holders == f"server: process {server.pid}, worker: process {server.pid}"
    shown = {setting["name"]: setting for setting in report["settings"]}
    assert shown["HEDGEROW_DATA_DIR"]["value"] == str(server.folder)
    assert shown["HEDGEROW_DATA_DIR"]["origin"] == "environment (HEDGEROW_DATA_DIR)"
    assert shown["HEDGEROW_SECRET_KEY"]["value"] == "set"
    assert shown["HEDGEROW_RATE_LIMITS"] == {"name": "HEDGEROW_RATE_LIMITS", "value": "off", "origin": "default"}


def test_of_several_migrations_at_once_one_does_the_work(program: Command) -> None:
    outcomes: list[str] = []

    def start() -> None:
        outcomes.append(program("migrate", "--json").out)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    applied = [json.loads(out)["applied"] for out in outcomes]
    assert sorted(bool(names) for names in applied) == [False, False, False, True]
