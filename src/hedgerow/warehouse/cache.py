"""Answers kept in memory as long as the data they were made from are the newest.

An entry names the version of every table it read, as registered before it was made; a table that has been synced
since, dropped, or hidden from the caller makes it useless. So an answer from here is never older than the data. An
answer from old versions of tables is as good after a sync, until those versions may be deleted.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hedgerow.core.clock import now
from hedgerow.warehouse.models import Table

LARGEST_ENTRY: Final = 256 * 1024
LARGEST_CACHE: Final = 8 * 1024 * 1024


@dataclass(frozen=True)
class _Entry:
    answer: bytes
    tables: dict[str, tuple[str, int | None]]
    fixed: frozenset[str]
    until: datetime | None

    def is_good(self, tables: Mapping[str, Table]) -> bool:
        """Whether it would be the same, were the question asked now."""
        if self.until is not None and now() >= self.until:
            return False
        return all(_version(tables.get(name), name in self.fixed) == seen for name, seen in self.tables.items())


def key(project_id: int, sql: str, values: Mapping[str, Any]) -> str:
    """What tells two questions apart: the contract's `cache_key`."""
    text = json.dumps([project_id, sql, values], sort_keys=True)
    return "cache_" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class AnswerCache:
    """Least recently used entries go first. Thread-safe."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def find(self, cache_key: str, tables: Mapping[str, Table]) -> dict[str, Any] | None:
        """The answer, if the caller may read all its tables (`tables`: those that may be read) and none has changed."""
        with self._lock:
            entry = self._entries.get(cache_key)
            if entry is None or not entry.is_good(tables):
                return None
            self._entries.move_to_end(cache_key)
        found: dict[str, Any] = json.loads(entry.answer)
        return found

    def keep(
        self,
        cache_key: str,
        answer: Mapping[str, Any],
        tables: Mapping[str, Table],
        *,
        fixed: Collection[str] = (),
        until: datetime | None = None,
    ) -> None:
        """Keep an answer made from `tables` as they were registered before it was made.

        Newer versions of the tables named in `fixed` do not matter to it. `until` is when it ends (None: never).
        """
        text = json.dumps(answer).encode()
        if len(text) > LARGEST_ENTRY:
            return
        versions = {n: version for n, table in tables.items() if (version := _version(table, n in fixed)) is not None}
        with self._lock:
            old = self._entries.pop(cache_key, None)
            self._entries[cache_key] = _Entry(text, versions, frozenset(fixed), until)
            self._size += len(text) - (len(old.answer) if old else 0)
            while self._size > LARGEST_CACHE:
                _, oldest = self._entries.popitem(last=False)
                self._size -= len(oldest.answer)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._size = 0


def _version(table: Table | None, is_fixed: bool) -> tuple[str, int | None] | None:
    return None if table is None else (str(table.id), None if is_fixed else table.version)
