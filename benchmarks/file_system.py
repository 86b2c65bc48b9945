"""The tree at its expected size: `python -m benchmarks.file_system [--entries N] [--all N] [--database …] [--write]`.

100,000 entries in one project and 1,000,000 in the database unless told; SQLite and PostgreSQL after each other.
Every request goes through the whole server but for the socket, one at a time. Prints a row per request of the table in
file_system.md §19.2: its target, the median and the 95th percentile, in milliseconds.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from tests.support.postgres import PostgresServer

from benchmarks.measuring import circumstances, progress, publish, table

DATABASES: Final = ("sqlite", "postgresql")
TIMES: Final = 60
SLOW_TIMES: Final = 8
FLAT: Final = "Unfiled/Insights"
WIDE: Final = "Team"
TEN_THOUSAND: Final = "Archive/2024"
VIEWS: Final = 1000
_WORDS: Final = (
    *("report", "signup", "funnel", "marketing", "plan", "revenue", "draft", "launch", "checklist", "users", "weekly"),
    *("daily", "orders", "customers", "churn", "retention", "traffic", "campaign", "billing", "invoices", "margin"),
    *("forecast", "pipeline", "onboarding", "activation", "errors", "latency"),
)
_COLUMNS: Final = (
    *("path", "parent", "depth", "type", "ref", "href", "meta", "shortcut", "is_file", "lower_path", "words"),
    *("folders", "name", "created_by_id", "created_at"),
)


def main() -> None:
    """Each database in a process and a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--entries", type=int, default=100_000, help="entries in the project that is asked")
    parser.add_argument("--all", type=int, default=1_000_000, help="entries in the database")
    parser.add_argument("--database", choices=DATABASES, help="only this one")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # in the process of one database
    arguments = parser.parse_args()
    if arguments.here:
        print(json.dumps(measure(arguments.entries, arguments.all)))
        return
    parts = [circumstances(f"python -m benchmarks.file_system --entries {arguments.entries} --all {arguments.all}")]
    for database in [arguments.database] if arguments.database else DATABASES:
        parts += [f"{database}:", table(_in_a_process(database, arguments.entries, arguments.all))]
    publish("file system", "\n\n".join(parts), arguments.write)


def _in_a_process(database: str, entries: int, everything: int) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEDGEROW_", "DJANGO_"))}
        environment |= {"HEDGEROW_DATA_DIR": folder}
        command = [sys.executable, "-m", "benchmarks.file_system", "--here"]
        command += ["--entries", str(entries), "--all", str(everything)]
        if database == "sqlite":
            return _rows(command, environment)
        with PostgresServer({"shared_buffers": "512MB", "work_mem": "16MB"}) as server:
            server.create_database("hedgerow")
            login = f"{server.user}:{quote(server.password, safe='')}@{server.host}:{server.port}"
            return _rows(command, environment | {"HEDGEROW_DATABASE_URL": f"postgresql://{login}/hedgerow"})


def _rows(command: Sequence[str], environment: dict[str, str]) -> list[list[str]]:
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    rows: list[list[str]] = json.loads(done.stdout)
    return rows


def measure(in_project: int, in_database: int) -> list[list[str]]:
    """Fill this process's database, then the rows of the table."""
    from hedgerow.core.config import load
    from hedgerow.server import boot

    boot.start_django()
    boot.migrate(load())
    first = boot.first_start(load())
    assert first is not None
    progress(f"making {in_database:,} entries")
    _fill(first.project_id, in_project, in_database)
    rows = [["request", "target ms", "median ms", "p95 ms", ""]]
    for name, target, seconds in _requests(Caller(first.project_id, first.key), in_project):
        middle, p95 = statistics.median(seconds) * 1000, statistics.quantiles(seconds, n=20)[-1] * 1000
        rows.append([name, str(target), f"{middle:.1f}", f"{p95:.1f}", "" if p95 <= target else "**over**"])
        progress(", ".join(rows[-1]))
    return rows


class Caller:
    """Requests to the server in this process, as a client with a key makes them."""

    def __init__(self, project_id: int, key: str) -> None:
        from django.test import Client

        self._client = Client(headers={"Authorization": f"Bearer {key}"})
        self._base = f"/api/environments/{project_id}/file_system/"

    def ask(self, method: str, path: str = "", body: Any = None, query: dict[str, Any] | None = None) -> Any:
        """The body of the answer, which has to be a success."""
        address = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        answer = self._client.generic(
            method, address, "" if body is None else json.dumps(body), content_type="application/json"
        )
        assert answer.status_code < 300, answer.content
        return answer.json() if answer.content else None

    def timed(self, method: str, path: str = "", query: dict[str, Any] | None = None) -> list[float]:
        """The same request many times; the seconds of each."""
        return _timed(TIMES, lambda _: self.ask(method, path, query=query))


def _timed(times: int, action: Callable[[int], object], *, warm: int = 2) -> list[float]:
    """The seconds that each call took; the first, with negative numbers, do not count."""
    seconds = []
    for number in range(-warm, times):
        began = time.perf_counter()
        action(number)
        seconds.append(time.perf_counter() - began)
    return seconds[warm:]


Row = tuple[str, int, list[float]]


def _requests(caller: Caller, in_project: int) -> Iterator[Row]:
    yield from _reads(caller)
    yield from _writes(caller, in_project)


def _reads(caller: Caller) -> Iterator[Row]:
    page = {"parent": FLAT, "depth": 3, "limit": 101}
    recent = {"not_type": "folder", "limit": 101}
    reads: list[tuple[str, int, dict[str, Any]]] = [
        ("children of a folder, first page", 30, page),
        ("children of a folder, offset 10,000", 60, {**page, "offset": 10_000}),
        ("type and ref", 10, {"type": "insight", "ref": "i00000777"}),
        ("search, one word found often", 80, {"search": "retention", "limit": 101}),
        ("search, one word found rarely", 80, {"search": "insight7771", "limit": 101}),
        ("search, one letter", 250, {"search": "w", "limit": 101}),
        ("recent by creation", 30, {**recent, "order_by": "-created_at"}),
        ("recent by view", 30, {**recent, "order_by": "-last_viewed_at"}),
    ]
    for name, target, parameters in reads:
        yield name, target, caller.timed("GET", query=parameters)
    yield "count below 50,000 entries", 60, caller.timed("POST", "count_by_path/", {"path": WIDE})
    yield "unfiled, nothing to do", 20, caller.timed("GET", "unfiled/")


def _writes(caller: Caller, in_project: int) -> Iterator[Row]:
    made: list[str] = []

    def create(number: int) -> None:
        made.append(caller.ask("POST", body={"path": f"New/Year/Month/Note {number}", "type": "doc"})["id"])

    yield "create a file", 20, _timed(TIMES, create)

    def move(number: int) -> None:
        caller.ask("POST", f"{made[number + 2]}/move/", {"new_path": f"Other/Place/Note {number}"})

    yield "move a file", 20, _timed(TIMES, move)
    below = min(10_000, in_project // 10)
    folder = caller.ask("GET", query={"path": TEN_THOUSAND})["results"][0]["id"]

    def move_folder(number: int) -> None:
        target = "Elsewhere/2024" if number % 2 == 0 else TEN_THOUSAND
        caller.ask("POST", f"{folder}/move/", {"new_path": target})

    yield f"move a folder with {below:,} entries", 1000, _timed(SLOW_TIMES, move_folder)
    linked: list[str] = []

    def link(number: int) -> None:
        linked.append(caller.ask("POST", f"{folder}/link/", {"new_path": f"Linked/{number}"})["id"])

    yield f"link a folder with {below:,} entries", 2000, _timed(SLOW_TIMES, link)
    delete = _timed(SLOW_TIMES, lambda number: caller.ask("DELETE", f"{linked[number + 2]}/"))
    yield f"delete a folder with {below:,} entries", 1000, delete


# --- filling -----------------------------------------------------------------------------------------------------


def _fill(project_id: int, in_project: int, in_database: int) -> None:
    """The project's entries, and the same in as many other projects as it takes."""
    from hedgerow.accounts import services
    from hedgerow.accounts.models import Project, User
    from hedgerow.files.models import Entry, View

    owner = User.objects.get()
    project = Project.objects.get(pk=project_id)
    entries = list(_entries(project, owner, in_project))
    Entry.objects.bulk_create(entries, batch_size=5000)
    for number in range(in_database // in_project - 1):
        _copy(project_id, services.create_project(f"Project {number}", owner).pk)
    viewed = [entry for entry in entries if entry.type == "insight"][: VIEWS * 7 : 7]
    View.objects.bulk_create(
        View(user=owner, project=project, type=e.type, ref=e.ref or "", viewed_at=e.created_at) for e in viewed
    )
    _settle()


def _entries(project: Any, owner: Any, count: int) -> Iterator[Any]:
    from datetime import UTC, datetime, timedelta

    from hedgerow.files import derived
    from hedgerow.files.models import Entry

    chance = random.Random(7)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for number, (path, type) in enumerate(_paths(count, chance)):
        ref = None if type == "folder" else f"i{number:08}"
        at = start + timedelta(seconds=chance.randrange(60_000_000))
        yield Entry(
            project=project,
            created_by=owner,
            created_at=at,
            ref=ref,
            href=None if ref is None else f"/insights/{ref}",
            meta={} if ref is None else {"created_at": at.isoformat(), "created_by": owner.pk},
            **derived.columns(path, type),
        )


def _paths(count: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Half below one folder in many others, a tenth below another, the rest side by side in one."""
    half, tenth = count // 2, count // 10
    for folder in ("Unfiled", FLAT, WIDE, *TEN_THOUSAND.split("/", 1)[:1], TEN_THOUSAND):
        yield folder, "folder"
    below: list[str] = []
    for team in range(20):
        yield f"{WIDE}/Team {team}", "folder"
        for quarter in range(20):
            below.append(f"{WIDE}/Team {team}/{_name(chance)} {quarter}")
            yield below[-1], "folder"
    places = [(below, half - 420), ([TEN_THOUSAND], tenth), ([FLAT], count - half - tenth - 5)]
    for among, size in places:
        for number in range(size):
            yield f"{among[number % len(among)]}/{_name(chance)} insight{number}", "insight"


def _name(chance: random.Random) -> str:
    return " ".join(chance.sample(_WORDS, 3)).capitalize()


def _copy(project_id: int, to: int) -> None:
    from django.db import connection

    random_id = "gen_random_uuid()" if connection.vendor == "postgresql" else "lower(hex(randomblob(16)))"
    columns = ", ".join(_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO files_entry (uuid, project_id, {columns}) "
            f"SELECT {random_id}, %s, {columns} FROM files_entry WHERE project_id = %s",
            [to, project_id],
        )


def _settle() -> None:
    """What a database does by itself once it has been idle for a while."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


if __name__ == "__main__":
    main()
