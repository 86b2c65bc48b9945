"""Arrow ↔ Delta ↔ DuckDB ↔ the contract's type names.

Stored types: int8 … int64, float32, float64, decimal(p ≤ 38), string, binary, bool, date32, timestamp(us, UTC) for
instants and timestamp(us) for wall clocks. Everything else is either carried by one of these without loss or refused.
"""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.types as t

from hedgerow.core.errors import BadDataError

MAX_DIGITS = 38
_PLAIN = {
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
    pa.timestamp("us", "UTC"): "TIMESTAMP WITH TIME ZONE",
}
_CARRIED: list[tuple[Callable[[pa.DataType], bool], pa.DataType]] = [
    (t.is_large_string, pa.string()),
    (t.is_string_view, pa.string()),
    (t.is_large_binary, pa.binary()),
    (t.is_binary_view, pa.binary()),
    (t.is_fixed_size_binary, pa.binary()),
    (t.is_uint8, pa.int16()),
    (t.is_uint16, pa.int32()),
    (t.is_uint32, pa.int64()),
    (t.is_uint64, pa.decimal128(20, 0)),
    (t.is_null, pa.string()),
]


def stored(type_: pa.DataType) -> pa.DataType | None:
    """The stored type that carries `type_` without loss; None when there is none (nested, nanoseconds, time of day)."""
    if type_ in _PLAIN:
        return type_
    if t.is_dictionary(type_):
        return stored(type_.value_type)
    if t.is_decimal(type_):
        fits = type_.precision <= MAX_DIGITS and 0 <= type_.scale <= type_.precision
        return pa.decimal128(type_.precision, type_.scale) if fits else None
    if t.is_timestamp(type_) and type_.unit != "ns":
        return pa.timestamp("us", "UTC" if type_.tz else None)
    return next((target for holds, target in _CARRIED if holds(type_)), None)


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """Every field with its stored type, nullable, no metadata. Raises BadDataError naming the first that has none."""
    fields = []
    for field in schema:
        type_ = stored(field.type)
        if type_ is None:
            raise BadDataError(f'Column "{field.name}" has the type {field.type}, which tables cannot hold.')
        fields.append(pa.field(field.name, type_))
    return pa.schema(fields)


def contract(type_: pa.DataType) -> str:
    """The contract's name (spec 3.2) of a stored type. Bytes have no name of their own there: `string`."""
    if t.is_decimal(type_):
        return "decimal"
    if t.is_integer(type_):
        return "integer"
    if t.is_floating(type_):
        return "float"
    if t.is_timestamp(type_):
        return "datetime"
    return {pa.date32(): "date", pa.bool_(): "boolean"}.get(type_, "string")


def duckdb(type_: pa.DataType) -> str:
    """DuckDB's spelling of a stored type."""
    return f"DECIMAL({type_.precision},{type_.scale})" if t.is_decimal(type_) else _PLAIN[type_]
