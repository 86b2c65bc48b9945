"""Reading a stored table by others than its writer, as the values that `kinds` speaks of."""

import base64
import re
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl

from hedgerow.lake import query
from hedgerow.lake.answer import Limits
from hedgerow.lake.storage import Storage
from tests.exact.kinds import Stored, days, microseconds, read_json, single

NAME: Final = "t"


def by_polars(storage: Storage, location: str, stored: Sequence[Stored]) -> tuple[list[str], Counter[str]]:
    """Names and rows as Polars reads the Delta table."""
    frame = pl.scan_delta(storage.uri(location)).collect()
    columns = [
        (frame.get_column(name).to_physical() if kind in ("date", "time") else frame.get_column(name)).to_list()
        for name, kind in zip(frame.columns, stored, strict=True)
    ]
    shown = [
        [_parsed(value) if kind == "json" else value for value in values]
        for kind, values in zip(stored, columns, strict=True)
    ]
    return frame.columns, Counter(repr(list(row)) for row in zip(*shown, strict=True))


def _parsed(text: str | None) -> Any:
    return None if text is None else read_json(text)


def by_sql(storage: Storage, location: str, stored: Sequence[Stored]) -> tuple[list[str], Counter[str]]:
    """Names and rows as a query answers them. A float that is no number is null there, so it is asked for as text."""
    connection = query.connect(storage)
    try:
        names = query.run(connection, storage, f"SELECT * FROM {NAME} LIMIT 1", {}, {NAME: location}, Limits()).columns
    finally:
        connection.close()
    shown = ", ".join(
        f"CAST({_quoted(name)} AS VARCHAR) AS c{place}"
        if kind in ("float", "float4")
        else f"{_quoted(name)} AS c{place}"
        for place, (name, kind) in enumerate(zip(names, stored, strict=True))
    )
    connection = query.connect(storage)
    try:
        answer = query.run(connection, storage, f"SELECT {shown} FROM {NAME}", {}, {NAME: location}, Limits())
    finally:
        connection.close()
    assert not answer.has_more
    rows = [
        [None if value is None else _FROM_JSON.get(kind, _same)(value) for kind, value in zip(stored, row, strict=True)]
        for row in answer.rows
    ]
    return names, Counter(map(repr, rows))


def _same(value: Any) -> Any:
    return value


def _moment(text: str) -> int:
    return microseconds(re.sub(r"Z(?= BC|$)", "", text.replace("T", " ", 1)))


_FROM_JSON: Final[dict[Stored, Callable[[Any], Any]]] = {
    "decimal": Decimal,
    "date": days,
    "time": _moment,
    "json": read_json,
    "bytes": base64.b64decode,
    "float": float,
    "float4": single,
}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
