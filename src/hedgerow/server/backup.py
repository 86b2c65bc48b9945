"""A consistent copy of the embedded installation, made while it runs.

The copy's database never knows less of a table than the table itself: tables are pinned first, then the database is
copied, then the pinned versions. So after a restore every table is there, and the next run of a table that had moved
on in between goes on from the cursor in the table's own log.
"""

import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hedgerow import __version__
from hedgerow.core import disk
from hedgerow.core.clock import now
from hedgerow.core.config import SECRET_KEY_FILE, Config
from hedgerow.core.errors import BadRequestError, ConflictError
from hedgerow.lake import copy as lake_copy
from hedgerow.lake.storage import Storage
from hedgerow.server.boot import only_one
from hedgerow.warehouse.models import Table

_TRIES: Final = 5
_STAGE_PREFIX: Final = ".backup-"
TABLES: Final = "tables"
MANIFEST: Final = "backup.json"
"""What a backup says of itself; `hedgerow restore` takes nothing without it."""


@dataclass(frozen=True)
class Made:
    """What a backup holds. `notes` says what it does not hold and how to keep that."""

    tables: int
    files: int
    size: int
    notes: list[str] = field(default_factory=list)


def back_up(config: Config, target: Path) -> Made:
    """Copy database, secret key and tables to `target`: a new folder, or an archive when its name ends in .tar.gz.

    Raises BadRequestError for a target or an installation this cannot be done with, ConflictError when tables
    changed too fast or another backup is being made.
    """
    _refuse(config, target)
    in_folder = Storage(config.storage).is_local
    beside = Path(config.storage) if in_folder else config.data_dir
    beside.mkdir(parents=True, exist_ok=True)
    with only_one(config, "backup"):
        for left_behind in beside.glob(f"{_STAGE_PREFIX}*"):
            shutil.rmtree(left_behind)
        with tempfile.TemporaryDirectory(dir=beside, prefix=_STAGE_PREFIX) as stage_name:
            stage = Path(stage_name)
            tables = _stage(config, stage, with_tables=in_folder)
            notes = _keep_secret_key(config, stage)
            about = {"made_at": now().isoformat(), "tables_in_it": in_folder, "storage": config.storage}
            (stage / MANIFEST).write_text(json.dumps({"version": 1, "hedgerow": __version__, **about}))
            if not in_folder:
                notes.append(f"The tables lie in {config.storage} and are not in this backup: copy them there.")
            sizes = [path.stat().st_size for path in stage.rglob("*") if path.is_file()]
            with _room(target):
                _write(stage, target)
    return Made(tables, len(sizes), sum(sizes), notes)


def _refuse(config: Config, target: Path) -> None:
    if config.database_url:
        raise BadRequestError(
            "The database is PostgreSQL, and only the embedded one is backed up here.",
            hint="Use pg_dump for the database, then copy the folder or bucket of HEDGEROW_STORAGE_URL.",
        )
    if target.exists():
        raise BadRequestError(f"{target} exists already.", hint="Name a new folder or file.")
    if not target.absolute().parent.is_dir():
        raise BadRequestError(f"There is no folder {target.absolute().parent}.", hint="Make it first.")


def _stage(config: Config, stage: Path, *, with_tables: bool) -> int:
    """Database and tables as they belong together; how many tables. A table dropped meanwhile means starting over."""
    storage, copies = Storage(config.storage), Storage(str(stage / TABLES))
    for _ in range(_TRIES):
        pinned = _pin_all(storage) if with_tables else {}
        database = stage / config.sqlite_path.name
        _copy_database(config.sqlite_path, database)
        wanted = _live_locations(database) if with_tables else []
        try:
            for location in wanted:
                _stage_table(location, pinned.get(location), storage, copies)
        except ConflictError:
            shutil.rmtree(stage / TABLES, ignore_errors=True)
            database.unlink()
            continue
        return len(wanted)
    raise ConflictError("Tables kept changing while they were copied.", hint="Try again when fewer syncs are running.")


def _stage_table(location: str, pinned: lake_copy.Pinned | None, storage: Storage, copies: Storage) -> None:
    """Raises ConflictError when the table came into being only after the tables were pinned."""
    if pinned is not None:
        lake_copy.copy(pinned, storage, copies)
    elif lake_copy.pin(storage, location) is not None:
        raise ConflictError(f"The table {location} is newer than this copy.")


def _pin_all(storage: Storage) -> dict[str, lake_copy.Pinned]:
    locations = Table.objects.filter(deleted_at=None).values_list("location", flat=True)
    found = [lake_copy.pin(storage, location) for location in locations]
    return {pinned.location: pinned for pinned in found if pinned is not None}


def _copy_database(path: Path, target: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    target.chmod(0o600)


def _live_locations(database: Path) -> list[str]:
    table = Table._meta.db_table
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(f"SELECT location FROM {table} WHERE deleted_at IS NULL")  # noqa: S608 - our own name
        return [location for (location,) in rows]


def _keep_secret_key(config: Config, stage: Path) -> list[str]:
    kept = config.data_dir / SECRET_KEY_FILE
    if "secret_key" in config.origin and config.origin["secret_key"].startswith("environment"):
        return ["HEDGEROW_SECRET_KEY comes from the environment and is not in this backup: keep it yourself."]
    shutil.copyfile(kept, stage / SECRET_KEY_FILE)
    (stage / SECRET_KEY_FILE).chmod(0o600)
    return []


@contextmanager
def _room(target: Path) -> Iterator[None]:
    """A disk that the copy does not fit on is the backup's, not the installation's; what was begun is removed."""
    try:
        yield
    except OSError as error:
        partial = _partial(target)
        shutil.rmtree(partial) if partial.is_dir() else partial.unlink(missing_ok=True)
        fault = disk.explain(error, f"backup, {target.absolute().parent},")
        raise fault or error from error


def _partial(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def _write(stage: Path, target: Path) -> None:
    """Under another name first, so that a backup that broke off is never taken for a whole one."""
    partial = _partial(target)
    if target.name.endswith((".tar.gz", ".tgz")):
        partial.touch(mode=0o600)
        with tarfile.open(partial, "w:gz", compresslevel=1) as archive:
            for entry in sorted(stage.iterdir()):
                archive.add(entry, entry.name)
    else:
        shutil.copytree(stage, partial)
        partial.chmod(0o700)
    partial.rename(target)
