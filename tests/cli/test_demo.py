"""From nothing to a queried table: what the first start prints works when pasted, and `hedgerow demo` does the same."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from hedgerow.cli import first_steps
from tests.cli.conftest import Command
from tests.support.server import Server

pytestmark = pytest.mark.journey


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def _shell(line: str) -> Any:
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_the_three_lines_work_when_pasted(server: Server) -> None:
    connect, look, ask = first_steps.curl_lines(server.address, server.project, server.key)

    made = _shell(connect)
    server.settled(made["id"])
    shown = _shell(re.sub(r"^sleep \d+; ", "", look))
    answer = _shell(ask)

    assert {s["status"] for s in shown["results"][0]["schemas"] if s["should_sync"]} == {"Completed"}
    assert answer["columns"] == ["status", "orders"]
    assert sum(count for _, count in answer["results"]) > 10_000


def test_demo_connects_waits_and_tells_what_to_ask(server: Server, program: Command) -> None:
    done = program("demo", "--wait", "--json", data_dir=server.folder)

    assert done.code == 0, done.err
    assert done.data["project"] == server.project
    assert [(t["name"], t["status"]) for t in done.data["tables"]] == [
        ("demo_customers", "Completed"),
        ("demo_orders", "Completed"),
    ]
    rows = {table["name"]: table["rows"] for table in done.data["tables"]}
    assert server.sql("SELECT count() FROM demo_orders") == [[rows["demo_orders"]]]
    assert sum(count for _, count in server.sql(first_steps.QUERY)) == rows["demo_orders"]


def test_a_second_demo_in_the_project_is_refused_as_the_api_does(server: Server, program: Command) -> None:
    program("demo", data_dir=server.folder)

    again = program("demo", data_dir=server.folder)

    assert again.code == 1
    assert "Error: The demo source was not connected." in again.err


def test_without_a_worker_waiting_is_refused(program: Command) -> None:
    program("admin", "create-user", "--email", "alice@example.com")
    program("admin", "create-project", "--name", "Shop", "--owner", "alice@example.com")

    stuck = program("demo", "--email", "Alice@example.com", "--wait")

    assert stuck.code == 1
    assert "Why:  No worker is running." in stuck.err
    assert "hedgerow serve" in stuck.err


@pytest.mark.parametrize("words", [(), ("--email", "nobody@example.com")])
def test_without_a_project_it_says_how_to_get_one(program: Command, words: tuple[str, ...]) -> None:
    refused = program("demo", *words)

    assert refused.code == 1
    assert "has no project yet" in refused.err
    assert "hedgerow admin" in refused.err


def test_people_read_names_and_a_query(server: Server) -> None:
    command = [sys.executable, "-m", "hedgerow.cli.main", "demo"]

    done = subprocess.run(command, capture_output=True, text=True, check=True, env=server.environment)

    assert "  demo_orders" in done.stdout
    assert f"Query: {first_steps.QUERY}" in done.stdout


def test_the_log_says_which_run_and_source_a_line_is_about(server: Server) -> None:
    source = server.settled(server.api("POST", "external_data_sources/", first_steps.DEMO)["id"])

    def completed() -> list[str]:
        lines = [line for line in server.log.read_text().splitlines() if " completed: " in line]
        return lines if len(lines) == 2 else []

    for line in server.until(completed):
        assert re.search(rf" hedgerow\.sync\.run: .* run=[0-9a-f-]{{36}} source={source['id']}$", line), line
