"""What happens to a table's columns when a run brings others (type_mapping.md 10).

New columns are added, vanished ones stay and get nulls, types only widen. What no type can hold together stops the run:
the user resyncs the table. Text holds numbers, because a number's digits are its text in every source; of times, floats
and the like each source writes its own text, so there none is made up.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from hedgerow.core.errors import BadDataError
from hedgerow.lake import naming, types

_INTEGER_DIGITS = {pa.int8(): 3, pa.int16(): 5, pa.int32(): 10, pa.int64(): 19}
_MOST_INTEGER_DIGITS = 19


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
            columns.append(_cast(batch.column(index), field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise BadDataError(f'A value of column "{field.name}" does not fit {field.type}: {error}') from error
    return pa.record_batch(columns, schema=schema)


def _cast(values: pa.Array, type_: pa.DataType) -> pa.Array:
    """The values in the type that `_wider` chose. Raises pa.ArrowInvalid when one does not fit."""
    if t.is_decimal(values.type) and not t.is_decimal(type_):
        return _plain_text(values).cast(type_)  # Arrow's own cast to float rounds twice
    return values.cast(type_, safe=not (t.is_integer(values.type) and t.is_floating(type_)))


def _plain_text(decimals: pa.Array) -> pa.Array:
    """Decimals with all their digits, never as `0E-18`, which is how Arrow writes them."""
    scale = decimals.type.scale
    unscaled = pa.Array.from_buffers(
        pa.decimal128(types.MAX_DIGITS, 0), len(decimals), decimals.buffers(), decimals.null_count, decimals.offset
    ).cast(pa.string())
    if not scale:
        return unscaled
    digits = pc.utf8_lpad(pc.utf8_ltrim(unscaled, "-"), scale + 1, "0")
    sign = pc.if_else(pc.starts_with(unscaled, "-"), "-", "")
    whole, fraction = pc.utf8_slice_codeunits(digits, 0, -scale), pc.utf8_slice_codeunits(digits, -scale)
    return pc.binary_join_element_wise(sign, whole, ".", fraction, "")


def _wider(name: str, old: pa.DataType, new: pa.DataType) -> pa.DataType:
    """The narrowest stored type that holds every value of both."""
    both = old if old == new else _common(old, new)
    if both is None:
        raise BadDataError(
            f'The type of column "{name}" changed from {old} to {new}, and no type holds both.',
            hint="Resync the table: it is then read again as a whole with the new type.",
        )
    return both


def _common(old: pa.DataType, new: pa.DataType) -> pa.DataType | None:
    """What a column that is stored as `old` becomes when it arrives as `new`, a different type; None: nothing fits."""
    if t.is_integer(old) and t.is_integer(new):
        return max(old, new, key=lambda type_: type_.bit_width)
    if t.is_floating(new) and (_is_exact(old) or t.is_floating(old)):
        return pa.float64()  # the source has made floats of its old values too
    if t.is_floating(old) and t.is_integer(new) and new.bit_width <= 32:
        return pa.float64()
    if {old, new} == {pa.date32(), pa.timestamp("us")}:
        return pa.timestamp("us")
    if _is_exact(old) and _is_exact(new):
        return _decimal(old, new)
    if pa.string() in (old, new) and (_is_exact(old) or _is_exact(new)):
        return pa.string()
    return None


def _is_exact(type_: pa.DataType) -> bool:
    """Whether values are whole or decimal numbers."""
    return bool(t.is_integer(type_) or t.is_decimal(type_))


def _decimal(old: pa.DataType, new: pa.DataType) -> pa.DataType:
    """For two exact types, one a decimal. Integers get room for the widest; what has too many digits becomes text."""
    digits = max(_MOST_INTEGER_DIGITS if t.is_integer(old) else _whole_digits(old), _whole_digits(new))
    scale = max(type_.scale for type_ in (old, new) if t.is_decimal(type_))
    return pa.decimal128(digits + scale, scale) if digits + scale <= types.MAX_DIGITS else pa.string()


def _whole_digits(type_: pa.DataType) -> int:
    return _INTEGER_DIGITS[type_] if t.is_integer(type_) else type_.precision - type_.scale
