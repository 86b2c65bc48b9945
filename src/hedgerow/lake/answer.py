"""What a query may use and what is answered. Light to import: the server deals in these without loading DuckDB."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limits:
    """`rows` the answer may hold at most, `seconds` until the query is stopped, `memory_mib` it may use."""

    rows: int = 50_000
    seconds: float = 10.0
    memory_mib: int = 512


@dataclass(frozen=True)
class Result:
    """An answer; every value as JSON can carry it (`lake.results`). `sql` is the text as run.

    `tables` are the names of the tables read; `stable` says that the same data always give the same answer. `fixed`
    are those of the tables that were read at old versions only, named by number: newer data do not change the answer.
    `replaced_ms` is when the first of all old versions read was replaced (ms since 1970), None when all are the newest.
    """

    columns: list[str]
    types: list[list[str]]
    rows: list[list[Any]]
    has_more: bool
    limit: int
    offset: int
    sql: str
    tables: list[str]
    stable: bool
    fixed: list[str]
    replaced_ms: int | None


@dataclass(frozen=True)
class Version:
    """One version of a table; times in milliseconds since 1970.

    `run` is the run that wrote it; None for upkeep, which changes a table's files but not its rows. `replaced_ms` is
    when the next version came, None for the newest. `size_bytes` counts all of its files, also those that other
    versions share.
    """

    number: int
    created_ms: int
    replaced_ms: int | None
    run: str | None
    row_count: int
    size_bytes: int
