"""What happens to a table's columns when a run brings others (type_mapping.md 10).

New columns are added, vanished ones stay and get nulls, types only widen. What no type can hold together stops the run:
the user resyncs the table.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as t

from hedgerow.core.errors import BadDataError
from hedgerow.lake import naming, types

_INTEGER_DIGITS = {pa.int8(): 3, pa.int16(): 5, pa.int32(): 10, pa.int64(): 19}


@dataclass(frozen=True)
class Incoming:
    """The rows of one run: how their columns are called and stored. `names` maps source names to stored ones."""

    names: dict[str, str]
    schema: pa.Schema

    @classmethod
    def of(cls, source: pa.Schema) -> "Incoming":
        """Raises BadDataError for a type that tables cannot hold. A source without columns gets a placeholder."""
        names = naming.column_names(source.names)
        if len(names) < len(source.names):
            raise BadDataError("The source gave two columns of the same name.")
        stored = types.stored_schema(source)
        schema = pa.schema([pa.field(names[f.name], f.type) for f in stored])
        return cls(names, schema if names else pa.schema([pa.field(naming.PLACEHOLDER, pa.bool_())]))

    def renamed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch under its stored names."""
        return batch.rename_columns([self.names[name] for name in batch.schema.names])


def merged_schema(table: pa.Schema, incoming: pa.Schema) -> pa.Schema:
    """The table's schema after the run: equal to `table` when nothing changes. Raises BadDataError (see above)."""
    arriving = {field.name.lower(): field for field in incoming}
    fields = []
    for field in table:
        new = arriving.pop(field.name.lower(), None)
        fields.append(field if new is None else pa.field(field.name, _wider(field.name, field.type, new.type)))
    return pa.schema([*fields, *arriving.values()])


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly the columns of `schema` (found by name without case; absent ones are null), cast.

    Raises BadDataError naming the column when a value does not fit, which a type that only widens rules out.
    """
    if batch.schema.equals(schema):
        return batch
    places = {name.lower(): index for index, name in enumerate(batch.schema.names)}
    columns = []
    for field in schema:
        index = places.get(field.name.lower())
        if index is None:
            columns.append(pa.nulls(batch.num_rows, field.type))
            continue
        try:
            columns.append(batch.column(index).cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise BadDataError(f'A value of column "{field.name}" does not fit {field.type}: {error}') from error
    return pa.record_batch(columns, schema=schema)


def _wider(name: str, old: pa.DataType, new: pa.DataType) -> pa.DataType:
    """The narrowest stored type that holds every value of both."""
    both = old if old == new else _common(old, new) or _common(new, old)
    if both is None:
        raise BadDataError(
            f'The type of column "{name}" changed from {old} to {new}, and no type holds both.',
            hint="Resync the table: it is then read again as a whole with the new type.",
        )
    return both


def _common(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The common type of two different ones, for one order of them."""
    if t.is_integer(a) and t.is_integer(b):
        return max(a, b, key=lambda type_: type_.bit_width)
    if t.is_floating(a) and t.is_floating(b):
        return pa.float64()
    if t.is_date(a) and b == pa.timestamp("us"):
        return b
    if t.is_decimal(b) and (t.is_decimal(a) or t.is_integer(a)):
        digits, scale = (_INTEGER_DIGITS[a], 0) if t.is_integer(a) else (a.precision - a.scale, a.scale)
        scale = max(scale, b.scale)
        precision = max(digits, b.precision - b.scale) + scale
        return pa.decimal128(precision, scale) if precision <= types.MAX_DIGITS else None
    return None
