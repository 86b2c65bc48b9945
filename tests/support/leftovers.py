"""What lies in a table's folder that no kept version of its Delta log names: read here, without Hedgerow's own code."""

import base64
import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

_LOG = "_delta_log"
_LOG_FILE = re.compile(r"\d{20}(\.checkpoint[\w.-]*)?\.(json|parquet|crc)|_last_checkpoint")
_B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def orphans(folder: Path) -> list[str]:
    """Files of writes that were cut off, which nothing will ever read; paths within the folder.

    A file belongs to the table when a kept entry of the log adds it, removes it (older versions can be read for a
    while), or names it as a deletion vector.
    """
    named = {path for action in _actions(folder) for path in _files(action)}
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if not _is_log(path) and str(path) not in named)


def missing(folder: Path) -> list[str]:
    """Files of the newest version that are not there: such a table cannot be read."""
    state: dict[str, dict[str, Any]] = {}
    for action in _actions(folder, oldest=_checkpoint(folder)):
        if "remove" in action:
            state.pop(action["remove"]["path"], None)
        elif "add" in action:
            state[action["add"]["path"]] = action
    needed = {path for action in state.values() for path in _files(action)}
    return sorted(path for path in needed if not (folder / path).is_file())


def age(folder: Path, hours: float) -> None:
    """Make every file look so much older, as if the time of grace had passed."""
    when = time.time() - hours * 3600
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (when, when))


def _is_log(path: Path) -> bool:
    return path.parts[0] == _LOG and _LOG_FILE.fullmatch(path.name) is not None


def _actions(folder: Path, oldest: int = -1) -> Iterator[dict[str, Any]]:
    """Adds and removes of the log's checkpoints and entries, removes first within each; none before `oldest`."""
    for path in sorted((folder / _LOG).glob("0*")):
        version, suffix = int(path.name[:20]), path.name[20:]
        if suffix == ".json" and version > oldest:
            actions = [json.loads(line) for line in path.read_text().splitlines()]
        elif suffix == ".checkpoint.parquet" and version >= oldest:
            actions = _of_checkpoint(path)
        else:
            continue
        yield from sorted((a for a in actions if a.get("add") or a.get("remove")), key=lambda a: not a.get("remove"))


def _of_checkpoint(path: Path) -> list[dict[str, Any]]:
    rows = pq.read_table(path).to_pylist()
    return [{name: row[name]} for row in rows for name in ("add", "remove") if row.get(name)]


def _checkpoint(folder: Path) -> int:
    """The version of the newest checkpoint; -1 without one."""
    found = (folder / _LOG).glob("*.checkpoint.parquet")
    return max((int(path.name[:20]) for path in found), default=-1)


def _files(action: dict[str, Any]) -> Iterator[str]:
    """The files that an action names, relative to the table's folder."""
    facts = action.get("add") or action["remove"]
    yield unquote(facts["path"])
    vector = facts.get("deletionVector") or {}
    if vector.get("storageType") == "u":  # a prefix, then a uuid in 20 characters of Z85
        prefix, coded = vector["pathOrInlineDv"][:-20], vector["pathOrInlineDv"][-20:]
        number = uuid.UUID(bytes=base64.b85decode(coded.encode().translate(bytes.maketrans(_Z85, _B85))))
        yield f"{prefix}/deletion_vector_{number}.bin".lstrip("/")
    elif vector.get("storageType") == "p":
        yield Path(unquote(vector["pathOrInlineDv"].removeprefix("file://"))).name
