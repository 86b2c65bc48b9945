"""A backup's database and tables fit together, whatever happens to the tables while it is made."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from django.conf import settings

from hedgerow.accounts.models import Project
from hedgerow.core.clock import now
from hedgerow.core.config import Config
from hedgerow.core.errors import BadRequestError, ConflictError
from hedgerow.lake import copy as lake_copy
from hedgerow.lake import write
from hedgerow.lake.storage import Storage
from hedgerow.server import backup
from hedgerow.warehouse.models import Table
from tests.support.people import People

pytestmark = pytest.mark.django_db(transaction=True)  # a backup reads the database file, so rows must be committed

_fences = count(1)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The test database with tables in a folder of their own."""
    config: Config = settings.CONFIG
    return replace(config, storage_url=str(tmp_path / "tables"))


def _write(config: Config, location: str, *values: int) -> None:
    batch = pa.record_batch({"id": pa.array(values, pa.int64())})
    facts = write.CommitFacts(run="r", fence=next(_fences))
    write.replace(Storage(config.storage), location, batch.schema, [batch], lambda: facts, lambda _: None)


def _table(config: Config, project: Project, name: str, *values: int) -> Table:
    table = Table.objects.create(project=project, name=name, location=f"{project.pk}/{name}-0")
    _write(config, table.location, *values)
    return table


def _at_the_first_copy(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """The moment between the copy of the database and that of the tables."""
    real, once = lake_copy.copy, [happens]

    def copy(pinned: lake_copy.Pinned, source: Storage, target: Storage) -> None:
        while once:
            once.pop()()
        real(pinned, source, target)

    monkeypatch.setattr(lake_copy, "copy", copy)


def _rows(target: Path, table: Table) -> list[int]:
    rows = DeltaTable(str(target / "tables" / table.location)).to_pyarrow_table().column("id").to_pylist()
    return sorted(rows)


def _known(target: Path) -> list[str]:
    with closing(sqlite3.connect(target / settings.CONFIG.sqlite_path.name)) as database:
        return [name for (name,) in database.execute("SELECT name FROM warehouse_table WHERE deleted_at IS NULL")]


def test_tables_and_database_are_in_it(config: Config, people: People, tmp_path: Path) -> None:
    table = _table(config, people.project, "a", 1, 2)

    made = backup.back_up(config, tmp_path / "copy")

    assert made.tables == 1
    assert _known(tmp_path / "copy") == ["a"]
    assert _rows(tmp_path / "copy", table) == [1, 2]


def test_what_is_written_meanwhile_stays_out(
    config: Config, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _table(config, people.project, "a", 1, 2)
    _at_the_first_copy(monkeypatch, lambda: _write(config, table.location, 3))

    backup.back_up(config, tmp_path / "copy")

    assert _rows(tmp_path / "copy", table) == [1, 2]


def test_a_table_dropped_meanwhile_is_in_neither(
    config: Config, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, dropped = _table(config, people.project, "a", 1), _table(config, people.project, "b", 2)

    def drop() -> None:
        Table.objects.filter(pk=dropped.pk).update(deleted_at=now())
        Storage(config.storage).delete(dropped.location)

    _at_the_first_copy(monkeypatch, drop)

    made = backup.back_up(config, tmp_path / "copy")

    assert made.tables == 1
    assert _known(tmp_path / "copy") == ["a"]
    assert _rows(tmp_path / "copy", kept) == [1]
    assert not (tmp_path / "copy" / "tables" / dropped.location).exists()


def test_a_table_that_came_between_pinning_and_the_database_is_in_both(
    config: Config, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _table(config, people.project, "a", 1)
    real = backup._copy_database
    born: list[Table] = []

    def copy_database(path: Path, target: Path) -> None:
        if not born:
            born.append(_table(config, people.project, "b", 2))
        real(path, target)

    monkeypatch.setattr(backup, "_copy_database", copy_database)

    backup.back_up(config, tmp_path / "copy")

    assert sorted(_known(tmp_path / "copy")) == ["a", "b"]
    assert _rows(tmp_path / "copy", born[0]) == [2]


def test_a_table_whose_files_are_gone_for_good_ends_it_plainly(
    config: Config, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _table(config, people.project, "a", 1)
    monkeypatch.setattr(lake_copy, "pin", lambda *_: lake_copy.Pinned(table.location, 0, ("gone.parquet",)))

    with pytest.raises(ConflictError, match="Tables kept changing"):
        backup.back_up(config, tmp_path / "copy")

    assert list(tmp_path.iterdir()) == [tmp_path / "tables"]
    assert not list((tmp_path / "tables").glob(".backup-*"))


def test_what_a_killed_backup_left_is_cleared_away(config: Config, people: People, tmp_path: Path) -> None:
    left = tmp_path / "tables" / ".backup-killed"
    left.mkdir(parents=True)

    backup.back_up(config, tmp_path / "copy")

    assert not left.exists()


def test_a_shared_database_is_refused_with_the_way_to_do_it(config: Config, tmp_path: Path) -> None:
    with pytest.raises(BadRequestError) as caught:
        backup.back_up(replace(config, database_url="postgresql://db/x"), tmp_path / "copy")

    assert "pg_dump" in caught.value.hint


def test_tables_in_s3_are_said_not_to_be_in_it(config: Config, people: People, tmp_path: Path) -> None:
    made = backup.back_up(replace(config, storage_url="s3://bucket/x"), tmp_path / "copy")

    assert made.tables == 0
    assert made.notes == ["The tables lie in s3://bucket/x and are not in this backup: copy them there."]
