"""Whether what a tool left equals the source: sums over all rows, then a sample value for value and type for type."""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from tests.support.postgres import PostgresDatabase
from tests.support.server import Server

from benchmarks.peers.roster import ATTACHED, Way

SUMS = "count(*), count(distinct id), sum(amount), sum(quantity), count(sku), max(updated_at)"
# What each column of the source is in DuckDB. Delta and Parquet have no type for the last two: text is no loss there.
TYPES: Mapping[str, tuple[str, ...]] = {
    "id": ("BIGINT",),
    "customer_id": ("INTEGER",),
    "channel": ("SMALLINT",),
    "status": ("VARCHAR",),
    "sku": ("VARCHAR",),
    "amount": ("DECIMAL(18,4)",),
    "rate": ("DOUBLE",),
    "quantity": ("INTEGER",),
    "gift": ("BOOLEAN",),
    "ordered_on": ("DATE",),
    "created_at": ("TIMESTAMP WITH TIME ZONE",),
    "updated_at": ("TIMESTAMP WITH TIME ZONE",),
    "attrs": ("VARCHAR", "JSON"),
    "ref": ("VARCHAR", "UUID"),
}
_CONTRACT = {
    "BIGINT": "Int64",
    "INTEGER": "Int32",
    "SMALLINT": "Int16",
    "VARCHAR": "String",
    "DECIMAL(18,4)": "Decimal(18, 4)",
    "DOUBLE": "Float64",
    "BOOLEAN": "Bool",
    "DATE": "Date",
    "TIMESTAMP WITH TIME ZONE": "DateTime64(6, 'UTC')",
}
_COLUMNS = ", ".join(f"{name}::text" if name in ("attrs", "ref") else name for name in TYPES)
_SAMPLE = "where id % {step} = 0 order by id"


def losses(database: PostgresDatabase, table: str, way: Way, folder: Path) -> list[str]:
    """How a peer's table differs from the source's; nothing means equal."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
        if (folder / "table.duckdb").exists():
            connection.execute(f"attach '{folder}/table.duckdb' as {ATTACHED} (read_only)")
        output = way.output(folder, table)

        def ask(what: str, rest: str = "") -> list[tuple[Any, ...]]:
            return connection.execute(f"select {what} from {output} {rest}").fetchall()

        types = {row[0]: row[1] for row in connection.execute(f"describe from {output}").fetchall()}
        if missing := sorted(set(TYPES) - set(types)):
            return [f"without {', '.join(missing)}"]
        theirs = database.execute(f"select {SUMS} from {table}")[0]
        step = max(1, int(theirs[0]) // 5000)
        sample = database.execute(f"select {_COLUMNS} from {table} {_SAMPLE.format(step=step)}")
        found = [] if _plain(ask(SUMS)[0]) == _plain(theirs) else ["**rows or sums differ**"]
        found += [f"{name} is {types[name].lower()}" for name, good in TYPES.items() if types[name] not in good]
        return found + _differences(sample, ask(_COLUMNS, _SAMPLE.format(step=step)))


def _differences(ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]]) -> list[str]:
    """One example for each column whose values differ."""
    if len(ours) != len(theirs):
        return ["**other rows**"]
    found: dict[str, str] = {}
    for source, target in zip(ours, theirs, strict=True):
        for name, a, b in zip(TYPES, _plain(source), _plain(target), strict=True):
            if a != b:
                how = "is other text, though equal as JSON" if name == "attrs" and _same_json(a, b) else "differs"
                found.setdefault(name, f"{name} {how}: `{b}` for `{a}`")
    return list(found.values())


def _same_json(a: str, b: str) -> bool:
    try:
        return bool(json.loads(a) == json.loads(b))
    except ValueError:
        return False


def _plain(row: tuple[Any, ...]) -> list[Any]:
    return [value.timestamp() if isinstance(value, datetime) else value for value in row]


def hedgerow_losses(database: PostgresDatabase, server: Server) -> list[str]:
    """The same for Hedgerow's table, asked for by SQL over HTTP."""
    theirs = database.execute(f"select {SUMS} from orders")[0]
    step = max(1, int(theirs[0]) // 5000)
    sample = database.execute(f"select {_COLUMNS} from orders {_SAMPLE.format(step=step)}")
    query = f"select {', '.join(TYPES)} from postgres_orders {_SAMPLE.format(step=step)} limit 10000"
    body = {"query": {"kind": "HogQLQuery", "query": query}, "refresh": "force_blocking"}
    answer = server.api("POST", "query/", body)
    types = dict(answer["types"])
    sums = server.sql(f"select {SUMS} from postgres_orders")[0]
    found = [] if _read(sums, theirs) == _plain(theirs) else ["**rows or sums differ**"]
    found += [f"{name} is {types[name]}" for name, good in TYPES.items() if types[name] != _CONTRACT[good[0]]]
    rows = [tuple(_read(row, like)) for row, like in zip(answer["results"], sample, strict=False)]
    return found + (_differences(sample, rows) if len(answer["results"]) == len(sample) else ["**other rows**"])


def _read(row: list[Any], like: tuple[Any, ...]) -> list[Any]:
    """Values of JSON as the kinds of value that the source gave."""
    kinds: dict[type, Callable[[str], Any]] = {
        Decimal: Decimal,
        date: date.fromisoformat,
        datetime: datetime.fromisoformat,
    }
    read = [kinds[type(b)](a) if a is not None and type(b) in kinds else a for a, b in zip(row, like, strict=True)]
    return _plain(tuple(read))
