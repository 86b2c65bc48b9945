"""`hedgerow doctor` finds each fault, made for real, says what to do, and changes nothing."""

import json
import os
import re
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from hedgerow.cli.checkup import machine
from hedgerow.core import processes
from hedgerow.core.clock import now
from hedgerow.core.config import Config
from hedgerow.core.ids import uuid7
from hedgerow.core.secrets import Sealer
from hedgerow.lake.storage import Storage
from hedgerow.sources import settings
from hedgerow.sources.models import Source, SourceTable
from hedgerow.sync.erasing import location_of
from hedgerow.sync.models import Run
from hedgerow.warehouse import tables
from hedgerow.work.models import Task, Worker
from tests.cli.conftest import Command
from tests.support import shop
from tests.support.disk import SmallDisk
from tests.support.people import People


@dataclass
class House:
    """A table with data and all that is known of it; `folder` is where it lies."""

    storage: Storage
    source: Source
    table: SourceTable
    folder: Path
    doctor: Callable[[], dict[str, dict[str, Any]]]

    def file(self, pattern: str) -> Path:
        return max(self.folder.glob(pattern))


@pytest.fixture
def house(people: People, hedgerow: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("HEDGEROW_STORAGE_URL", str(tmp_path / "tables"))
    storage = Storage(str(tmp_path / "tables"))
    source = Source.objects.create(
        project=people.project, source_type="Demo", sealed_settings=settings.seal({"password": "x"})
    )
    table_id = uuid7()
    table = SourceTable.objects.create(
        source=source, name="orders", table_name="demo_orders", table_uuid=table_id, fence=1, should_sync=True
    )
    written = shop.store(storage, location_of(table), fence=1)
    table.table = tables.register(
        project=people.project, name="demo_orders", location=location_of(table), columns=written.columns,
        row_count=written.row_count, version=written.version, table_id=table_id,
    )  # fmt: skip
    table.save()
    Worker.objects.create(id="alive", until=now() + timedelta(hours=1))

    def doctor() -> dict[str, dict[str, Any]]:
        before = _everything(tmp_path)
        outcome = hedgerow("doctor", "--json")
        assert _everything(tmp_path) == before, "it changed something"
        wrong = {check["name"]: check for check in outcome.data["checks"] if not check["ok"]}
        assert outcome.code == (1 if wrong else 0)
        assert all(check["do"].endswith(".") for check in wrong.values())
        wrong.pop("free disk", None)  # which is the machine's
        return wrong

    return House(storage, source, table, Path(storage.path(location_of(table))), doctor)


def _everything(folder: Path) -> dict[str, tuple[int, int]]:
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {str(p): (s.st_size, s.st_mtime_ns) for p, s in found.items() if stat.S_ISREG(s.st_mode)}


def test_a_good_house_is_well(house: House) -> None:
    assert house.doctor() == {}


def test_a_log_that_cannot_be_read(house: House) -> None:
    house.file("_delta_log/*.json").write_text('{"add": {"pa')

    wrong = house.doctor()

    assert list(wrong) == ["tables"]
    assert wrong["tables"]["details"][0].startswith(f"demo_orders (project {house.source.project_id}): ")


def test_a_table_that_is_not_there(house: House) -> None:
    shutil.rmtree(house.folder)

    wrong = house.doctor()

    assert list(wrong) == ["tables"]
    assert "is not there" in wrong["tables"]["details"][0]


def test_a_file_that_somebody_deleted(house: House) -> None:
    gone = house.file("*.parquet")
    gone.unlink()

    wrong = house.doctor()

    assert list(wrong) == ["files of tables"]
    assert gone.name in wrong["files of tables"]["details"][0]


def test_what_a_run_that_died_left_behind(house: House) -> None:
    (house.folder / "part-dead.parquet").write_bytes(b"x" * 3 * 1024 * 1024)

    wrong = house.doctor()

    assert list(wrong) == ["leftovers"]
    assert "3.0 MiB in all" in wrong["leftovers"]["found"]


def test_what_a_run_in_progress_writes_is_no_leftover(house: House) -> None:
    (house.folder / "part-new.parquet").write_bytes(b"x")
    run = Run.objects.create(source_table=house.table)
    Task.objects.create(kind="sync", subject=str(run.id))

    assert house.doctor() == {}


def test_a_table_that_the_database_does_not_know(house: House) -> None:
    shutil.copytree(house.folder, house.folder.with_name("demo_strange-00000000"))

    wrong = house.doctor()

    assert list(wrong) == ["unknown tables"]
    assert wrong["unknown tables"]["details"] == [f"{house.source.project_id}/demo_strange-00000000"]


def test_a_dropped_table_that_is_about_to_be_erased_is_known(house: House) -> None:
    Task.objects.create(kind="erase", subject="x", facts={"location": location_of(house.table)})
    SourceTable.objects.update(deleted_at=now())

    assert house.doctor() == {}


def test_a_table_ahead_of_a_restored_database(house: House) -> None:
    shop.store(house.storage, location_of(house.table), fence=7)

    wrong = house.doctor()

    assert list(wrong) == ["ahead"]
    assert wrong["ahead"]["details"][0].endswith("the table has seen start 7, the database 1")


def test_files_and_jobs_of_a_time_to_come(house: House) -> None:
    later = now() + timedelta(hours=5)
    os.utime(house.file("*.parquet"), (later.timestamp(), later.timestamp()))
    Run.objects.create(source_table=house.table, status="Completed", created_at=later)

    assert list(house.doctor()) == ["clock", "file times"]


def test_settings_sealed_with_another_key(house: House) -> None:
    Source.objects.update(sealed_settings=Sealer("another key").seal({"password": "x"}))

    wrong = house.doctor()

    assert list(wrong) == ["secret key"]
    assert str(house.source.id) in wrong["secret key"]["details"][0]


def test_a_table_that_an_error_switched_off(house: House) -> None:
    SourceTable.objects.update(should_sync=False, switched_off_by_engine=True, latest_error="permission denied")

    wrong = house.doctor()

    assert list(wrong) == ["switched off"]
    assert wrong["switched off"]["details"][0].endswith(", orders: permission denied")


def test_a_run_that_nobody_works_on(house: House) -> None:
    Run.objects.create(source_table=house.table)

    assert list(house.doctor()) == ["runs"]


def test_a_worker_that_ended_without_a_word(house: House) -> None:
    dead = Worker.objects.create(id="dead", until=now() - timedelta(hours=1))
    Task.objects.create(kind="sync", subject="x", holder=dead)

    wrong = house.doctor()

    assert list(wrong) == ["leases"]
    assert wrong["leases"]["details"][0].startswith("dead (silent since ")
    assert wrong["leases"]["details"][0].endswith("1 task(s))")


def _config(folder: Path) -> Config:
    config: Config = django_settings.CONFIG
    return replace(config, data_dir=folder, storage_url=str(folder / "tables"))


def test_a_disk_that_is_full_or_read_only() -> None:
    with SmallDisk(8) as disk:
        config = _config(disk.folder)
        assert machine.folder(config).ok
        disk.fill()
        full = [machine.folder(config), machine.free(config), machine.storage(config)]
        assert [check.ok for check in full] == [False, False, False]
        assert full[0].found.endswith("The disk of the data folder is full.")
        assert any(re.match(r"tables: [\d.]+ (B|KiB) free at ", detail) for detail in full[1].details)
        assert full[2].found.startswith("The disk of the tables is full.")

        disk.clear()
        disk.remount("ro")
        read_only = [machine.folder(config), machine.storage(config)]
        assert [check.ok for check in read_only] == [False, False]
        assert read_only[0].found.endswith("The disk of the data folder is read-only.")


def _as_nobody(folder: str, answer: str) -> None:
    os.setuid(65534)
    config = Config(data_dir=Path(folder))
    checks = [machine.folder(config), machine.files(config)]
    Path(answer).write_text(json.dumps([[check.ok, check.found, *check.details] for check in checks]))


def test_a_folder_of_another_user(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    public = Path("/tmp") / f"hedgerow-public-{uuid7()}"
    data = public / "data"
    data.mkdir(parents=True)
    try:
        public.chmod(0o777)
        (data / "hedgerow.sqlite3").touch(mode=0o600)
        (data / "secret_key").touch(mode=0o600)
        child = processes.forkserver_context().Process(target=_as_nobody, args=(str(data), str(public / "answer")))
        processes.start(child)
        child.join()
        folder, files = json.loads((public / "answer").read_text())
    finally:
        shutil.rmtree(public)

    assert folder == [False, f"{data}: The server's user may not write to the data folder."]
    assert files[:2] == [False, "2 of the data folder cannot be used by this user (65534)"]
    assert files[2:] == ["secret_key belongs to user 0", "hedgerow.sqlite3 belongs to user 0"]


def test_a_bucket_that_cannot_be_reached(hedgerow: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_STORAGE_URL", "s3://nowhere/x")
    for name, value in {"ENDPOINT_URL": "http://127.0.0.1:9", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)

    report = hedgerow("doctor", "--json").data

    wrong = {check["name"] for check in report["checks"] if not check["ok"]}
    assert {"storage", "tables"} <= wrong
