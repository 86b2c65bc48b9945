"""What kinds of task there are. Higher rooms register theirs at start; this room knows only the names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hedgerow.work.models import Task

Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class Kind:
    """How one kind of task is worked on.

    `target` runs in a process of its own with the arguments that `start` gave; it must be importable by name.
    `start(task)` is called when the task is taken up; None: there is nothing to do any more, the task is dropped.
    `settle(task, exit_code)` is called in a transaction once the process has ended (negative: killed by that
    signal); it answers the seconds until the next try, or None when the task is done. It may be called again for
    the same end after a crash, so it must not count twice.
    `due(subject)` is called when a beat of this kind is due; it enqueues what is to be done.
    """

    name: str
    target: Callable[..., None]
    start: Callable[[Task], Arguments | None]
    settle: Callable[[Task, int], float | None]
    due: Callable[[str], None] | None = None


_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Make a kind known. Once per name, at start."""
    _KINDS[kind.name] = kind


def get(name: str) -> Kind:
    """The kind of that name. Raises KeyError for one that no room registered."""
    return _KINDS[name]
