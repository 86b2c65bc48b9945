"""Puts a backup back: unpacked beside the folder, looked through, and moved there in one step when it is whole."""

import json
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hedgerow.core.config import SECRET_KEY_FILE, Config
from hedgerow.core.errors import BadRequestError, ConflictError
from hedgerow.core.secrets import Sealer, SealError
from hedgerow.lake import inspect
from hedgerow.lake.storage import Storage
from hedgerow.server import boot
from hedgerow.server.backup import MANIFEST, TABLES
from hedgerow.sources.models import Source
from hedgerow.warehouse.models import Table

_STAGE_PREFIX: Final = ".restore-"
_UNREADABLE: Final = (tarfile.TarError, EOFError, zlib.error, OSError)


@dataclass(frozen=True)
class Restored:
    """What a backup held. `notes` says what it did not hold and what is to be done about that."""

    made_at: str
    tables: int
    sources: int
    notes: list[str] = field(default_factory=list)


def restore(config: Config, backup: Path, folder: Path) -> Restored:
    """Put `backup`, an archive or a folder that `hedgerow backup` made, into `folder`, which is new or empty.

    Raises BadRequestError for a folder or a backup this cannot be done with: then nothing has been changed.
    """
    _refuse(config, backup, folder)
    stage = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=_STAGE_PREFIX))
    try:
        _unpack(backup, stage)
        found = _look_through(config, stage, folder)
        (stage / MANIFEST).unlink()
        stage.rename(folder)  # takes the place of an empty folder, and of no other
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    return found


def _refuse(config: Config, backup: Path, folder: Path) -> None:
    if config.database_url:
        raise BadRequestError(
            "HEDGEROW_DATABASE_URL names a PostgreSQL database, and a backup holds an embedded one.",
            hint="Restore PostgreSQL with pg_restore; to go back to the embedded database, unset the variable.",
        )
    if not backup.exists():
        raise BadRequestError(f"There is no backup {backup}.", hint="Name the archive or the folder that was made.")
    if not folder.absolute().parent.is_dir():
        raise BadRequestError(f"There is no folder {folder.absolute().parent}.", hint="Make it first.")
    for role in ("server", "worker", "backup"):
        if process := boot.holder(folder, role):
            raise ConflictError(
                f"The folder {folder} is in use: a {role} (process {process}) works in it.",
                hint="Restore into another folder with --to, or stop that process and move its folder away.",
            )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadRequestError(
            f"{folder} is not empty.", hint="Restore into another folder with --to, or move what is in it away."
        )


def _unpack(backup: Path, stage: Path) -> None:
    """Files and folders only, none outside of `stage`."""
    try:
        if backup.is_dir():
            shutil.copytree(backup, stage, symlinks=True, dirs_exist_ok=True)
            if any(path.is_symlink() for path in stage.rglob("*")):
                raise tarfile.TarError("it holds links to elsewhere")
        else:
            with tarfile.open(backup) as archive:
                archive.extractall(stage, filter=_plain)  # noqa: S202 - every member is looked at
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno:
            raise  # our own disk
        raise BadRequestError(
            f"{backup} cannot be read: {error}", hint="It is damaged or no backup: take another one."
        ) from error
    stage.chmod(0o700)


def _plain(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    if not (member.isfile() or member.isdir()):
        raise tarfile.SpecialFileError(member)
    return tarfile.data_filter(member, path)


def _look_through(config: Config, stage: Path, folder: Path) -> Restored:
    """Whether all that belongs together is there, and fits this version."""
    manifest = _manifest(stage)
    with _opened(stage / config.sqlite_path.name) as database:
        _check_database(database)
        locations = _column(database, Table, "location")
        sealed = _column(database, Source, "sealed_settings")
    notes = [*_check_key(config, stage, sealed)]
    if manifest["tables_in_it"]:
        _check_tables(Storage(str(stage / TABLES)), locations)
        if "storage_url" in config.origin:
            notes.append(f"HEDGEROW_STORAGE_URL is {config.storage}: unset it, or move {folder / TABLES} there.")
    elif locations:
        notes.append(f"Its {len(locations)} table(s) are not in it: they lay in {manifest['storage']}.")
    return Restored(manifest["made_at"], len(locations), len(sealed), notes)


def _manifest(stage: Path) -> dict[str, Any]:
    try:
        read: dict[str, Any] = json.loads((stage / MANIFEST).read_text())
    except (OSError, ValueError):
        raise BadRequestError("This is no backup of Hedgerow, or not a whole one.", hint="Take another one.") from None
    return read


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            yield database
    except sqlite3.DatabaseError as error:
        raise BadRequestError(f"The database in it cannot be read: {error}", hint="Take another backup.") from error


def _check_database(database: sqlite3.Connection) -> None:
    (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise BadRequestError(f"The database in it is damaged: {answer}", hint="Take another backup.")
    applied = {(app, name) for app, name in database.execute("SELECT app, name FROM django_migrations")}
    unknown = applied - boot.known_migrations()
    if unknown:
        raise BadRequestError(
            "It was made by a newer version of Hedgerow.", hint="Install that version or a later one, then restore."
        )


def _column(database: sqlite3.Connection, model: type[Table] | type[Source], name: str) -> list[str]:
    sql = f"SELECT {name} FROM {model._meta.db_table} WHERE deleted_at IS NULL"  # noqa: S608 - our own names
    return [value for (value,) in database.execute(sql)]


def _check_key(config: Config, stage: Path, sealed: list[str]) -> Iterator[str]:
    """The key that the restored installation will start with opens what is stored; a note when none is known."""
    kept = stage / SECRET_KEY_FILE
    given = config.secret_key if config.origin.get("secret_key", "").startswith("environment") else ""
    if not given and not kept.exists():
        yield "The secret key is not in it: set HEDGEROW_SECRET_KEY to what it was before you start the server."
        return
    sealer = Sealer(given or kept.read_text().strip())
    try:
        for text in sealed:
            sealer.open(text)
    except SealError:
        raise BadRequestError(
            f"The secret key {'of HEDGEROW_SECRET_KEY' if given else 'in it'} does not open the stored credentials.",
            hint="Set HEDGEROW_SECRET_KEY to what it was when the backup was made.",
        ) from None


def _check_tables(storage: Storage, locations: list[str]) -> None:
    for location in locations:
        found = inspect.inspect(storage, location)
        if found.exists and not found.unreadable and not found.missing:
            continue
        why = found.unreadable or (f"{found.missing[0]} is missing" if found.missing else "it is missing")
        raise BadRequestError(f"The table {location} in it is not whole: {why}.", hint="Take another backup.")
