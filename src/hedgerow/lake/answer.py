"""What a query may use and what it answers. Light to import: the server deals in these without loading DuckDB."""

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

    `tables` are the names of the tables read; `stable` says that the same data always give the same answer.
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
