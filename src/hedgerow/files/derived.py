"""What an entry's other columns are for a path and a type, and how they change when a folder moves."""

from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Concat, Substr

from hedgerow.files import paths
from hedgerow.files.models import FOLDER
from hedgerow.files.text import CodePointText


def columns(path: str, type: str) -> dict[str, Any]:
    """The columns that follow from a path and a type, for an entry there."""
    parts = paths.split(path)
    return {
        "path": path,
        "parent": paths.join(parts[:-1]),
        "depth": len(parts),
        "type": type,
        "is_file": int(type != FOLDER),
        "lower_path": paths.lowered(path),
        "words": f"{words(path)}\n{paths.folded(type)}",
        "folders": "\n".join(map(paths.folded, parts[:-1])),
        "name": paths.folded(parts[-1]),
    }


def words(path: str) -> str:
    """The readable path as search compares it. A slash in a name looks like one between names."""
    return "/".join(map(paths.folded, paths.split(path)))


def folders(path: str) -> str:
    """Every part on a line of its own, as search compares it."""
    return "\n".join(map(paths.folded, paths.split(path)))


def moved(old: str, new: str, path_now: str | None = None) -> dict[str, Any]:
    """For one UPDATE of everything below the folder `old`: the columns once that folder is `new`.

    Every column named begins with the folder's own value for it, and only that beginning changes. `path_now` is what
    the column `path` begins with when it is not `old`.
    """
    beginnings = _beginnings(old, new) | {"path": (path_now or old, new)}
    replaced: dict[str, Any] = {name: _replaced(name, *both) for name, both in beginnings.items()}
    return {**replaced, "depth": F("depth") + (paths.depth(new) - paths.depth(old))}


def _beginnings(old: str, new: str) -> dict[str, tuple[str, str]]:
    """What the columns of everything below a folder begin with, before and after it moves."""
    of = {"lower_path": paths.lowered, "words": words, "folders": folders}
    return {"path": (old, new), "parent": (old, new)} | {name: (part(old), part(new)) for name, part in of.items()}


def _replaced(name: str, old: str, new: str) -> Concat:
    kept = Substr(name, len(old) + 1, output_field=CodePointText())
    return Concat(Value(new, output_field=CodePointText()), kept, output_field=CodePointText())
