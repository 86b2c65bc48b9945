"""What load balancers are told."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.db.migrations.executor import MigrationExecutor

from hedgerow.api import health
from hedgerow.core.clock import now
from hedgerow.work.models import Worker
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db(transaction=True)
ALL = {"http", "postgres", "cache", "storage", "worker"}


@pytest.fixture
def worker(transactional_db: None) -> Worker:
    """One that is alive."""
    return Worker.objects.create(id="w1", until=now() + timedelta(minutes=1))


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check of an earlier test is still on its way."""
    monkeypatch.setattr(health, "_running", {})
    monkeypatch.setattr(health, "_complete", False)


def break_check(monkeypatch: pytest.MonkeyPatch, name: str, check: Any) -> None:
    monkeypatch.setattr(health, "CHECKS", {**health.CHECKS, name: check})


@pytest.mark.parametrize("slash", ["", "/"])
def test_all_is_well(api: type[Caller], worker: Worker, slash: str) -> None:
    assert api().get(f"/_livez{slash}").json() == {"http": True}
    answer = api().get(f"/_readyz{slash}")
    assert (answer.status_code, answer.json()) == (200, dict.fromkeys(ALL, True))
    answer = api().get(f"/_health{slash}")
    assert (answer.status_code, answer.content) == (200, b"ok")
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.django_db(transaction=False)
def test_livez_touches_nothing_else(api: type[Caller], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert api().get("/_livez").status_code == 200


@pytest.mark.parametrize("lease", [None, -1.0])
def test_without_a_living_worker_it_is_not_ready(api: type[Caller], lease: float | None) -> None:
    if lease is not None:
        Worker.objects.create(id="dead", until=now() + timedelta(seconds=lease))
    answer = api().get("/_readyz")
    assert (answer.status_code, answer.json()["worker"]) == (503, False)
    assert api().get("/_readyz?role=worker").status_code == 503


@pytest.mark.parametrize(
    ("query", "status", "names"),
    [
        ("exclude=worker", 200, ALL),
        ("exclude=worker&exclude=cache", 200, ALL),
        ("exclude=cache", 503, ALL),
        ("role=web", 200, ALL - {"worker"}),
        ("role=worker", 503, ALL),
        ("role=worker&exclude=worker&exclude=nonsense", 200, ALL),
    ],
)
def test_roles_pick_and_excluding_forgives(api: type[Caller], query: str, status: int, names: set[str]) -> None:
    answer = api().get(f"/_readyz?{query}")
    assert (answer.status_code, answer.json().keys()) == (status, names)


def test_an_unknown_role_is_a_mistake(api: type[Caller]) -> None:
    answer = api().get("/_readyz?role=chef")
    assert (answer.status_code, answer.json()) == (400, {"error": "InvalidRole"})


def test_a_folder_that_cannot_be_written_shows(
    api: type[Caller], worker: Worker, settings: Any, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    settings.CONFIG = replace(settings.CONFIG, storage_url=str(file / "tables"))
    answer = api().get("/_readyz")
    assert (answer.status_code, answer.json()) == (503, dict.fromkeys(ALL, True) | {"storage": False})


def test_a_database_that_is_gone_shows(api: type[Caller], worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> bool:
        raise OperationalError("gone")

    break_check(monkeypatch, "postgres", gone)
    monkeypatch.setattr(health, "database_answers", gone)
    assert api().get("/_readyz").json()["postgres"] is False
    answer = api().get("/_health")
    assert (answer.status_code, answer.content) == (503, b"not ok")


def test_a_database_without_its_tables_is_not_healthy(api: type[Caller], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *args: ["one is missing"])
    assert api().get("/_health").status_code == 503


def test_a_check_that_hangs_fails_in_time_and_is_not_started_again(
    api: type[Caller], worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, starts = threading.Event(), []

    def hang() -> bool:
        starts.append(1)
        return go.wait(20)

    break_check(monkeypatch, "storage", hang)
    monkeypatch.setattr(health, "SECONDS", 0.2)
    began = time.monotonic()
    try:
        for _ in range(3):
            answer = api().get("/_readyz")
            assert (answer.status_code, answer.json()["storage"]) == (503, False)
    finally:
        go.set()
    assert time.monotonic() - began < 5
    assert len(starts) == 1
