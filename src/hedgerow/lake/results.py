"""A result as JSON can carry it without loss, with ClickHouse's type names (api_conventions.md §6, §11.1).

- Whole numbers are JSON numbers with all their digits, of any size. Decimals are texts with all their digits.
- Floats are JSON numbers; NaN and the infinities are null. Single precision shows its own shortest form (0.1).
- Instants are `2026-02-03T10:00:00.5Z`, wall clocks the same without Z, dates `2026-02-03`; infinite ones are null.
- Bytes are base64 text. Lists are arrays, structs and maps objects, JSON columns the text they hold.
- UUIDs, times of day, intervals and the rest are DuckDB's text.
"""

import base64
import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from hedgerow.lake.functions import words

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

_NAMES: Final = {
    "boolean": "Bool",
    "tinyint": "Int8",
    "smallint": "Int16",
    "integer": "Int32",
    "bigint": "Int64",
    "hugeint": "Int128",
    "utinyint": "UInt8",
    "usmallint": "UInt16",
    "uinteger": "UInt32",
    "ubigint": "UInt64",
    "uhugeint": "UInt128",
    "float": "Float32",
    "double": "Float64",
    "date": "Date",
    "timestamp": "DateTime64(6)",
    "timestamp_s": "DateTime64(0)",
    "timestamp_ms": "DateTime64(3)",
    "timestamp_ns": "DateTime64(9)",
    "timestamp with time zone": "DateTime64(6, 'UTC')",
    "uuid": "UUID",
    "sqlnull": "Nullable(Nothing)",
}
_NESTED: Final = words("list array struct map")
_AS_IT_IS: Final = words(
    "boolean tinyint smallint integer bigint hugeint utinyint usmallint uinteger ubigint uhugeint varchar"
)


def fetch(
    connection: "duckdb.DuckDBPyConnection", sql: str, limit: int
) -> tuple[list[str], list[list[str]], list[list[Any]], bool]:
    """Run a checked query; (columns, [name, type] pairs, rows, whether there are more than `limit` rows)."""
    relation = connection.sql(sql)
    kinds = relation.types
    columns = list(relation.columns)
    aliases = [f"c{place}" for place in range(len(kinds))]
    shown = ", ".join(_expression(alias, kind) for alias, kind in zip(aliases, kinds, strict=True))
    # The line break: the text may not end in a comment, but nothing here should depend on that.
    wrapped = f"SELECT {shown} FROM (\n{sql}\n) AS result({', '.join(aliases)})"  # noqa: S608 - a checked query
    found = connection.execute(wrapped).fetchall()
    nested = [place for place, kind in enumerate(kinds) if kind.id in _NESTED]
    rows = [list(row) for row in found[:limit]]
    for place in nested:
        for row in rows:
            row[place] = _plain(row[place])
    types = [[name, type_name(kind)] for name, kind in zip(columns, kinds, strict=True)]
    return columns, types, rows, len(found) > limit


def type_name(kind: "DuckDBPyType") -> str:
    """ClickHouse's name of a DuckDB type; text where ClickHouse has no such type."""
    if kind.id == "decimal":
        (_, precision), (_, scale) = kind.children
        return f"Decimal({precision}, {scale})"
    if kind.id not in _NESTED:
        return _NAMES.get(kind.id, "String")
    parts = [(name, type_name(child)) for name, child in kind.children if not isinstance(child, int | list)]
    if kind.id == "struct":
        return "Tuple(" + ", ".join(f"{name} {inner}".strip() for name, inner in parts) + ")"
    word = "Map" if kind.id == "map" else "Array"
    return f"{word}({', '.join(inner for _, inner in parts)})"


def _expression(alias: str, kind: "DuckDBPyType") -> str:
    """SQL that turns a column into what JSON can carry: far faster than value by value in Python."""
    if kind.id in _AS_IT_IS or kind.id in _NESTED:
        return alias
    build = _EXPRESSIONS.get(kind.id)
    return build(alias) if build else f"CAST({alias} AS VARCHAR)"


def _day(alias: str) -> str:
    return _time(alias, f"CAST({alias} AS VARCHAR)", "DATE")


def _moment(alias: str, zone: str = "") -> str:
    return _time(alias, f"replace(replace(CAST({alias} AS VARCHAR), ' (BC)', ''), ' ', 'T')", "TIMESTAMP", zone)


def _instant(alias: str) -> str:
    """By its number: DuckDB writes an instant's microseconds wrongly in years beyond 200,000."""
    wall_clock = f"make_timestamp(epoch_us({alias}))"
    return f"CASE WHEN isfinite({alias}) THEN {_moment(wall_clock, 'Z')} END"


def _time(alias: str, text: str, kind: str, zone: str = "") -> str:
    """ISO, and ` BC` behind all else as PostgreSQL has it: DuckDB puts `(BC)` in the middle. None for infinity."""
    early = f"replace({text}, ' (BC)', '') || '{zone} BC'"
    return (
        f"CASE WHEN NOT isfinite({alias}) THEN NULL WHEN {alias} < {kind} '0001-01-01' THEN {early} "
        f"ELSE {text} || '{zone}' END"
    )


_EXPRESSIONS: Final[dict[str, Callable[[str], str]]] = {
    "double": lambda c: f"CASE WHEN isfinite({c}) THEN {c} END",
    "float": lambda c: f"CASE WHEN isfinite({c}) THEN CAST(CAST({c} AS VARCHAR) AS DOUBLE) END",
    "blob": lambda c: f"to_base64({c})",
    "date": _day,
    "timestamp": _moment,
    "timestamp_s": _moment,
    "timestamp_ms": _moment,
    "timestamp_ns": _moment,
    "timestamp with time zone": _instant,
}


def _plain(value: Any) -> Any:
    """A value inside a list, struct or map."""
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, dict):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | str) else str(value)
