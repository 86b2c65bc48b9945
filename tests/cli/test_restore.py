"""`hedgerow restore` puts back what `hedgerow backup` made while all was running, and refuses what is not whole."""

import io
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgres import PostgresDatabase, PostgresServer
from tests.support.program import Command
from tests.support.server import Server

pytestmark = pytest.mark.journey

CURSOR = {"incremental_field": "at", "incremental_field_type": "timestamp", "primary_key_columns": ["id"]}


@pytest.fixture(scope="module")
def shop(postgres: PostgresServer) -> PostgresDatabase:
    database = postgres.create_database()
    database.execute(
        "create table t (id int primary key, word text, at timestamptz not null default clock_timestamp());"
        "insert into t select i, 'w' || i from generate_series(1, 5000) i; create view u as select * from t"
    )
    return database


@pytest.fixture(scope="module")
def server(shop: PostgresDatabase) -> Iterator[Server]:
    """A server with two tables, one whole and one incremental."""
    schemas = [
        {"name": "t", "should_sync": True, "sync_type": "incremental", **CURSOR},
        {"name": "u", "should_sync": True, "sync_type": "full_refresh"},
    ]
    with Server() as running:
        body = {"source_type": "Postgres", "payload": {**shop.settings(), "schemas": schemas}}
        running.settled(running.api("POST", "external_data_sources/", body)["id"])
        yield running


@pytest.fixture(scope="module")
def archive(server: Server, shop: PostgresDatabase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup made in the middle of runs and queries."""
    import subprocess
    import sys

    target = tmp_path_factory.mktemp("backup") / "monday.tar.gz"
    (source,) = server.api("GET", "external_data_sources/")["results"]
    shop.execute("update t set word = word || '!', at = clock_timestamp() where id % 7 = 0")
    server.api("POST", f"external_data_sources/{source['id']}/reload/")
    command = [sys.executable, "-m", "hedgerow.cli.main", "backup", str(target)]
    with subprocess.Popen(command, env=server.environment) as made:
        while made.poll() is None:
            server.sql("select count() from postgres_t")
            server.request("POST", f"/api/environments/{server.project}/external_data_sources/{source['id']}/reload/")
    assert made.returncode == 0
    server.settled(source["id"])
    return target


def _restored(server: Server, folder: Path) -> Server:
    """The installation in `folder`, not started, with the keys of the first."""
    other = Server()
    shutil.rmtree(other.folder)
    other.folder = folder
    other.environment["HEDGEROW_DATA_DIR"] = str(folder)
    return other


def test_a_backup_made_under_load_goes_on_as_if_nothing_had_been(
    server: Server, archive: Path, shop: PostgresDatabase, program: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "restored"

    done = program("restore", archive, "--to", folder, "--json")

    assert done.code == 0, done.err
    assert (done.data["tables"], done.data["sources"], done.data["notes"]) == (2, 1, [])
    assert not (tmp_path / "data").exists(), "the folder that the settings name was not asked for"
    assert [path.name for path in tmp_path.iterdir()] == ["restored"]
    with closing(sqlite3.connect(folder / "hedgerow.sqlite3")) as database:
        known = dict(database.execute("select name, version from warehouse_table"))
    shop.execute("update t set word = word || '?', at = clock_timestamp() where id % 5 = 0")
    with _restored(server, folder) as other:
        other.key, other.project = server.key, server.project
        assert set(known) == {"postgres_t", "postgres_u"}
        assert [other.sql(f"select count() from {name}") for name in sorted(known)] == [[[5000]], [[5000]]]
        (source,) = other.api("GET", "external_data_sources/")["results"]
        other.settled(source["id"])
        other.api("POST", f"external_data_sources/{source['id']}/reload/")
        after = other.settled(source["id"])
        assert [(s["status"], s["latest_error"]) for s in after["schemas"]] == [("Completed", None)] * 2
        truth = [list(row) for row in shop.execute("select id, word from t order by id")]
        for name in sorted(known):
            assert other.sql(f"select id, word from {name} order by id limit 50000") == truth


def test_a_folder_in_use_or_not_empty_is_refused(
    server: Server, archive: Path, program: Command, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").touch()

    used = program("restore", archive, "--to", server.folder)
    filled = program("restore", archive, "--to", tmp_path / "full")

    assert (used.code, filled.code) == (1, 1)
    assert f"is in use: a server (process {server.pid}) works in it" in used.err
    assert f"{tmp_path / 'full'} is not empty." in filled.err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["letter"]
    assert server.request("GET", "/_livez").status == 200


def _unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder


def _without_a_file(copy: Path) -> str:
    next(copy.rglob("*.parquet")).unlink()
    return "is missing"


def _without_a_log(copy: Path) -> str:
    shutil.rmtree(next(copy.rglob("_delta_log")))
    return "is missing"


def _with_another_key(copy: Path) -> str:
    (copy / "secret_key").write_text("another")
    return "The secret key in it does not open the stored credentials."


def _of_a_later_version(copy: Path) -> str:
    with closing(sqlite3.connect(copy / "hedgerow.sqlite3")) as database, database:
        database.execute(
            "insert into django_migrations (app, name, applied) values ('sync', '9999_later', '2030-01-01')"
        )
    return "It was made by a newer version of Hedgerow."


def _with_a_damaged_database(copy: Path) -> str:
    path = copy / "hedgerow.sqlite3"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return "The database in it"


def _with_a_link(copy: Path) -> str:
    (copy / "tables" / "link").symlink_to("/etc")
    return "it holds links to elsewhere"


def _of_somebody_else(copy: Path) -> str:
    (copy / "backup.json").unlink()
    return "This is no backup of Hedgerow"


@pytest.mark.parametrize(
    "damage",
    [
        _without_a_file,
        _without_a_log,
        _with_another_key,
        _of_a_later_version,
        _with_a_damaged_database,
        _with_a_link,
        _of_somebody_else,
    ],
)
def test_a_backup_that_is_not_whole_is_refused_and_leaves_nothing(
    damage: Callable[[Path], str], archive: Path, hedgerow: Command, tmp_path: Path
) -> None:
    text = damage(_unpacked(archive, tmp_path / "copy"))

    refused = hedgerow("restore", tmp_path / "copy", "--to", tmp_path / "target")

    assert refused.code == 1
    assert text in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def _malicious(member: tarfile.TarInfo) -> Callable[[Path], Any]:
    def make(path: Path) -> None:
        with tarfile.open(path, "w:gz") as archive:
            archive.addfile(member, io.BytesIO(b"x" * member.size))

    return make


def _member(name: str, *, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, to, 1 if kind == tarfile.REGTYPE else 0
    return member


@pytest.mark.parametrize(
    "make",
    [
        _malicious(_member("../outside")),
        _malicious(_member("tables/../../outside")),
        _malicious(_member("tables", kind=tarfile.SYMTYPE, to="/etc")),
        _malicious(_member("tables", kind=tarfile.LNKTYPE, to="../outside")),
        _malicious(_member("pipe", kind=tarfile.FIFOTYPE)),
        lambda path: path.write_bytes(b"no archive"),
    ],
    ids=["above", "above from within", "symbolic link", "hard link", "pipe", "no archive"],
)
def test_an_archive_writes_nothing_outside(make: Callable[[Path], Any], hedgerow: Command, tmp_path: Path) -> None:
    make(tmp_path / "evil.tar.gz")

    refused = hedgerow("restore", tmp_path / "evil.tar.gz", "--to", tmp_path / "target")

    assert refused.code == 1
    assert "cannot be read" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["evil.tar.gz"]


def test_a_truncated_archive_is_refused(archive: Path, hedgerow: Command, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])

    refused = hedgerow("restore", tmp_path / "half.tar.gz", "--to", tmp_path / "target")

    assert refused.code == 1
    assert "cannot be read" in refused.err
    assert not (tmp_path / "target").exists()


def test_what_was_not_in_it_is_said(program: Command, tmp_path: Path) -> None:
    storage = tmp_path / "elsewhere"
    assert program("backup", tmp_path / "copy", secret_key="mine", storage_url=storage).code == 0

    done = program("restore", tmp_path / "copy", "--to", tmp_path / "target", "--json")
    moved = program("restore", tmp_path / "copy", "--to", tmp_path / "second", "--json", storage_url=storage)

    assert done.data["notes"] == [
        "The secret key is not in it: set HEDGEROW_SECRET_KEY to what it was before you start the server."
    ]
    assert moved.data["notes"][-1].startswith(f"HEDGEROW_STORAGE_URL is {storage}: unset it, or move ")
    manifest = json.loads((tmp_path / "copy" / "backup.json").read_text())
    assert manifest["storage"] == str(storage)


def test_a_postgresql_database_is_not_replaced(
    hedgerow: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEDGEROW_DATABASE_URL", "postgresql://me@127.0.0.1:9/x")

    refused = hedgerow("restore", tmp_path, "--to", tmp_path / "target")

    assert refused.code == 1
    assert "pg_restore" in refused.err
