"""This machine: Python, folders and who may write there, room on the disks, the storage."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from hedgerow.cli.checkup.report import Check, judged
from hedgerow.core import disk
from hedgerow.core.config import SECRET_KEY_FILE, Config
from hedgerow.core.text import human_bytes

OLDEST_PYTHON: Final = (3, 11)
LEAST_FREE: Final = 1024**3


def python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    oldest = ".".join(str(part) for part in OLDEST_PYTHON)
    return Check("python", sys.version_info >= OLDEST_PYTHON, found, f"Install Python {oldest} or newer.")


def nothing_there(config: Config) -> Check:
    """There is no installation, or one without its key; looking at it must not make another."""
    missing = "no secret key in it" if config.data_dir.is_dir() else "no such folder"
    return Check(
        "data folder",
        False,
        f"{config.data_dir}: {missing}",
        "Start `hedgerow serve`, or run `hedgerow migrate`: they make what is missing. If there was an installation, "
        "name its folder with HEDGEROW_DATA_DIR, set its HEDGEROW_SECRET_KEY, or run `hedgerow restore`.",
    )


def folder(config: Config) -> Check:
    """Whether the data folder can be written: a file without a name is, and is gone at once."""
    from hedgerow.lake.storage import PROBE

    try:
        with tempfile.TemporaryFile(dir=config.data_dir) as probe:
            probe.write(PROBE)
            probe.flush()
    except OSError as error:
        fault = disk.explain(error, "data folder")
        found = fault.message if fault else str(error.strerror)
        do = fault.hint if fault else "Name a folder that can be written with HEDGEROW_DATA_DIR."
        return Check("data folder", False, f"{config.data_dir}: {found}", do)
    return Check("data folder", True, f"{config.data_dir} can be written")


def files(config: Config) -> Check:
    """Files of an embedded installation that this user cannot use: made by another user, most likely by root."""
    names = (SECRET_KEY_FILE, *(f"{config.sqlite_path.name}{end}" for end in ("", "-wal", "-shm")))
    present = [path for path in (config.data_dir / name for name in names) if path.exists()]
    owners = [f"{path.name} belongs to user {path.stat().st_uid}" for path in present if not _is_usable(path)]
    return judged(
        "files",
        owners,
        well="those in the data folder can be used",
        wrong=f"of the data folder cannot be used by this user ({os.geteuid()})",
        do=f"Give them to the user that Hedgerow runs as: chown -R <user> {config.data_dir}",
    )


def _is_usable(path: Path) -> bool:
    return os.access(path, os.R_OK if path.name == SECRET_KEY_FILE else os.R_OK | os.W_OK)


def free(config: Config) -> Check:
    """Room on the disks of the data folder, of tables in a folder, and of temporary files."""
    places = {"data folder": config.data_dir, "temporary files": Path(tempfile.gettempdir())}
    if "://" not in config.storage:
        places["tables"] = Path(config.storage)
    rooms = {name: shutil.disk_usage(_existing(path)).free for name, path in places.items()}
    low = [f"{name}: {human_bytes(room)} free at {places[name]}" for name, room in rooms.items() if room < LEAST_FREE]
    return judged(
        "free disk",
        low,
        well=f"{human_bytes(min(rooms.values()))} at least",
        wrong="disk(s) are full or nearly so",
        do=f"Free at least {human_bytes(LEAST_FREE)}: a full refresh needs room for the new table beside the old one.",
    )


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.absolute().parent)


def storage(config: Config) -> Check:
    """Whether tables can be written: a probe is, and deleted at once."""
    from hedgerow.core.errors import AppError
    from hedgerow.lake.storage import Storage

    try:
        Storage(config.storage).check()
    except AppError as error:
        fault = disk.explain(error)
        hint = fault.hint if fault else error.hint
        return Check("storage", False, f"{fault.message} {error.message}" if fault else error.message, hint)
    return Check("storage", True, f"{config.storage} can be written")
