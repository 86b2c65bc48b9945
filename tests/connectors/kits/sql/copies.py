"""A copy of a table kept by cursor, as `sync` keeps it, without its tables."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hedgerow.connectors.contract import Cursor, CursorType
from tests.connectors.kits.sql.reading import read_all
from tests.support.postgres import PostgresDatabase


@dataclass
class Copy:
    """What `sync` does with readings, without its tables: `append`, or merge by `id`."""

    database: PostgresDatabase
    cursor: str = "id"
    kind: CursorType = "integer"
    append: bool = True
    table: str = "t"
    standby: PostgresDatabase | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    mark: str | None = None
    seen: str | None = None
    kept: int = 0

    def run(self) -> list[Any]:
        """Read, keep, and answer the ids read."""
        cursor = Cursor(self.cursor, self.kind, self.mark, self.seen)
        found, reading = read_all(self.standby or self.database, self.table, cursor)
        new = found.to_pylist()
        ids = [row["id"] for row in new]
        old = self.rows if self.append else [row for row in self.rows if row["id"] not in ids]
        self.rows = new if self.mark is None else [*old, *new]
        if new or reading.seen_moved:
            self.mark = reading.cursor_to or self.mark
            self.seen = reading.seen
            self.kept += 1
        return sorted(ids)

    def equals_source(self) -> bool:
        """Whether every row is there, once, as in the source."""
        source = self.database.execute(f"select to_jsonb(x) from {self.table} x")
        return Counter(map(_text, self.rows)) == Counter(_text(row) for (row,) in source)


def _text(row: dict[str, Any]) -> str:
    return json.dumps({name: str(value).replace(" ", "T") for name, value in row.items()}, sort_keys=True)
