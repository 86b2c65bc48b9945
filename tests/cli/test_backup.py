"""A backup is made while the server runs, and an installation started from it has everything."""

import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.support.server import Server

pytestmark = pytest.mark.journey

CONNECT: dict[str, Any] = {
    "source_type": "Demo",
    "payload": {
        "schemas": [
            {"name": "products", "should_sync": True, "sync_type": "full_refresh"},
            {
                "name": "orders",
                "should_sync": True,
                "sync_type": "incremental",
                "incremental_field": "updated_at",
                "incremental_field_type": "timestamp",
            },
        ]
    },
}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        running.settled(running.api("POST", "external_data_sources/", CONNECT)["id"])
        yield running


@pytest.fixture
def restored(server: Server) -> Iterator[Server]:
    """Another installation, not started, that knows the first one's key."""
    other = Server()
    other.key, other.project = server.key, server.project
    yield other
    other.kill()
    shutil.rmtree(other.folder, ignore_errors=True)
    other.log.unlink(missing_ok=True)


def _start(server: Server) -> None:
    key, project = server.key, server.project
    server.start()
    server.key, server.project = key, project


def test_an_archive_unpacked_into_an_empty_folder_is_the_installation(
    server: Server, restored: Server, program: Command, tmp_path: Path
) -> None:
    before = server.sql("SELECT count(), max(id) FROM demo_orders")
    archive = tmp_path / "monday.tar.gz"

    made = program("backup", archive, "--json", data_dir=server.folder)

    assert made.code == 0, made.err
    assert (made.data["tables"], made.data["notes"]) == (2, [])
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with tarfile.open(archive) as packed:
        packed.extractall(restored.folder, filter="data")
    _start(restored)
    assert restored.sql("SELECT count(), max(id) FROM demo_orders") == before
    assert restored.sql("SELECT count() FROM demo_products") == server.sql("SELECT count() FROM demo_products")


def test_a_restored_installation_goes_on_syncing(
    server: Server, restored: Server, program: Command, tmp_path: Path
) -> None:
    shutil.rmtree(restored.folder)
    assert program("backup", tmp_path / "copy", data_dir=server.folder).code == 0
    (tmp_path / "copy").rename(restored.folder)
    _start(restored)

    (source,) = restored.api("GET", "external_data_sources/")["results"]
    restored.api("POST", f"external_data_sources/{source['id']}/reload/")

    after = restored.settled(source["id"])
    synced = [schema for schema in after["schemas"] if schema["should_sync"]]
    assert {schema["status"] for schema in synced} == {"Completed"}
    jobs = restored.api("GET", f"external_data_sources/{source['id']}/jobs/")
    assert len(jobs) == 4
    assert {job["status"] for job in jobs} == {"Completed"}
    assert restored.sql("SELECT count() - uniq(id) FROM demo_orders") == [[0]]


def test_nothing_is_left_beside_the_tables(server: Server, program: Command, tmp_path: Path) -> None:
    program("backup", tmp_path / "copy", data_dir=server.folder)

    assert not list((server.folder / "tables").glob(".backup-*"))
    assert not list(tmp_path.glob("*.partial"))
    assert sorted(entry.name for entry in (tmp_path / "copy").iterdir()) == [
        "backup.json",
        "hedgerow.sqlite3",
        "secret_key",
        "tables",
    ]
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o700


def test_a_key_from_the_environment_is_said_not_to_be_in_it(program: Command, tmp_path: Path) -> None:
    made = program("backup", tmp_path / "copy", "--json", secret_key="from the environment")

    assert not (tmp_path / "copy" / "secret_key").exists()
    assert made.data["notes"] == [
        "HEDGEROW_SECRET_KEY comes from the environment and is not in this backup: keep it yourself."
    ]


def test_a_target_that_exists_is_never_overwritten(program: Command, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()

    refused = program("backup", tmp_path / "copy")

    assert refused.code == 1
    assert "exists already" in refused.err
    assert list((tmp_path / "copy").iterdir()) == []


def test_a_target_in_no_folder_is_refused(program: Command, tmp_path: Path) -> None:
    refused = program("backup", tmp_path / "nowhere" / "copy")

    assert refused.code == 1
    assert f"There is no folder {tmp_path / 'nowhere'}" in refused.err
