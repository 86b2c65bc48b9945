"""`hedgerow doctor` names what is wrong and what to do, and never shows a secret."""

import re
from datetime import timedelta
from pathlib import Path

from hedgerow.core.clock import now
from hedgerow.work.models import Task
from tests.cli.conftest import Command, Outcome


def _wrong(outcome: Outcome) -> dict[str, str]:
    """Name of each check that failed → what to do."""
    return {check["name"]: check["do"] for check in outcome.data["checks"] if not check["ok"]}


def test_where_there_is_nothing_it_says_so_and_makes_nothing(program: Command, tmp_path: Path) -> None:
    report = program("doctor", "--json")

    assert report.code == 1
    assert "hedgerow migrate" in _wrong(report)["data folder"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_database_is_told_to_migrate(program: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    report = program("doctor", "--json", secret_key="mine")

    assert report.code == 1
    assert "hedgerow migrate" in _wrong(report)["database"]
    assert not (tmp_path / "data" / "hedgerow.sqlite3").exists()


def test_people_read_the_same(program: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    report = program("doctor", port=9000, secret_key="mine")

    assert report.code == 1
    assert "HEDGEROW_PORT" in report.out
    assert "environment (HEDGEROW_PORT)" in report.out
    assert "WRONG  database: " in report.out
    assert "Do: Start `hedgerow serve`, or run `hedgerow migrate`" in report.out


def test_secrets_are_only_set_or_not_set(program: Command) -> None:
    report = program("doctor", secret_key="hunter2hunter2", database_url="postgresql://me:hunter2@127.0.0.1:9/x")

    assert "hunter2" not in report.out + report.err
    assert re.search(r"HEDGEROW_SECRET_KEY +set ", report.out)


def test_a_database_that_does_not_answer_is_one_wrong_check_among_good_ones(program: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    report = program("doctor", "--json", database_url="postgresql://me:hunter2@127.0.0.1:9/x", secret_key="mine")

    assert "database" in _wrong(report)
    names = [check["name"] for check in report.data["checks"]]
    assert names == ["python", "data folder", "files", "free disk", "storage", "database"]


def test_a_storage_that_cannot_be_written_is_wrong(program: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    report = program("doctor", "--json", storage_url="/proc/nowhere", secret_key="mine")

    assert "storage" in _wrong(report)


def test_tasks_that_wait_too_long_are_counted(hedgerow: Command) -> None:
    Task.objects.create(kind="x", subject="1", not_before=now() - timedelta(hours=1))
    Task.objects.create(kind="x", subject="2", not_before=now() + timedelta(hours=1))

    report = hedgerow("doctor", "--json")

    found = {check["name"]: check["found"] for check in report.data["checks"]}
    assert found["queue"] == "1 task(s) have waited for more than 10 minutes"
    assert {"worker", "queue"} <= set(_wrong(report))
