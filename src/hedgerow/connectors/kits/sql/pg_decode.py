"""From what the fast reader hands over to exactly the planned Arrow columns; what no type can hold is counted.

Works on whole columns. Python looks at single values only in a batch that holds some which cannot be stored.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow.connectors.kits.sql.pg_types import Plan

_TYPES: Final = {
    "bool": pa.bool_(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "instant": pa.timestamp("us", "UTC"),
    "string": pa.string(),
    "binary": pa.binary(),
}
# 4714-11-24 BC (Gregorian) is PostgreSQL's first day. The reader keeps infinity as the greatest and the negative of
# the greatest number, and wraps timestamps past 294247-01-10 into numbers before the first day.
FIRST_DAY: Final = -2_440_588
DAY_MICROSECONDS: Final = 86_400_000_000
_BOUNDS: Final = {
    "date": (pa.int32(), FIRST_DAY, 2**31 - 2),
    "timestamp": (pa.int64(), FIRST_DAY * DAY_MICROSECONDS, 2**63 - 2),
    "instant": (pa.int64(), FIRST_DAY * DAY_MICROSECONDS, 2**63 - 2),
}
_NO_NUMBERS: Final = pa.array(["NaN", "Infinity", "-Infinity"])
NOT_A_NUMBER: Final = "NaN, infinite or too long for the declared type"
OUT_OF_RANGE: Final = "infinite, or beyond what a column of dates can hold"
NOT_UTF8: Final = "not UTF-8: undecodable bytes were replaced"

Count = Callable[[str, int], None]
"""Told the reason and how many values of the column could not be kept."""


def arrow_type(plan: Plan) -> pa.DataType:
    """The stored type of a column."""
    return pa.decimal128(*plan.digits) if plan.digits else _TYPES[plan.stored]


def decode(values: pa.Array, plan: Plan, count: Count) -> pa.Array:
    """The column as planned."""
    if plan.digits:
        if plan.nan_is_null:
            count(NOT_A_NUMBER, values.null_count)
        return _decimals(values, plan.digits, count)
    if plan.stored in _BOUNDS:
        return _in_range(values, plan, count)
    if plan.is_text and pa.types.is_binary(values.type):
        return _text(values, count)
    wanted = arrow_type(plan)
    return values if values.type == wanted else values.cast(wanted)


def _decimals(values: pa.Array, digits: tuple[int, int], count: Count) -> pa.Array:
    wanted = pa.decimal128(*digits)
    try:
        return values.cast(wanted)
    except pa.ArrowInvalid:
        numbers = pc.if_else(pc.is_in(values, _NO_NUMBERS), pa.scalar(None, pa.string()), values)
    try:
        decoded = numbers.cast(wanted)
    except pa.ArrowInvalid:  # a foreign table's declaration binds nobody: look at each value
        decoded = pa.array([_decimal(text, digits) for text in numbers.to_pylist()], wanted)
    count(NOT_A_NUMBER, decoded.null_count - values.null_count)
    return decoded


def _decimal(text: str | None, digits: tuple[int, int]) -> Decimal | None:
    """The number if it can be kept exactly, else None."""
    try:
        number = Decimal(text or "NaN")
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    precision, scale = digits
    fits = number == 0 or (
        number.adjusted() < precision - scale and int(number.normalize().as_tuple().exponent) >= -scale
    )
    return number if fits else None


def _in_range(values: pa.Array, plan: Plan, count: Count) -> pa.Array:
    raw_type, first, last = _BOUNDS[plan.stored]
    raw = values.view(raw_type)
    extremes = pc.min_max(raw)
    least, greatest = extremes["min"].as_py(), extremes["max"].as_py()
    if least is not None and (least < first or greatest > last):
        inside = pc.and_(pc.greater_equal(raw, first), pc.less_equal(raw, last))
        kept = pc.if_else(inside, raw, pa.scalar(None, raw_type))
        count(OUT_OF_RANGE, kept.null_count - raw.null_count)
        raw = kept
    return raw.view(arrow_type(plan))


def _text(values: pa.Array, count: Count) -> pa.Array:
    """Bytes of a database that does not know its encoding, as text."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        texts = [None if each is None else each.decode("utf-8", "replace") for each in values.to_pylist()]
    count(NOT_UTF8, sum("�" in text for text in texts if text is not None))
    return pa.array(texts, pa.string())


# ---- cursor values ---------------------------------------------------------------------------------------------------


def furthest(best: Any, values: pa.Array) -> Any:
    """The greater of `best` and the greatest of `values`, in a form for `source_text`; None when there is none.

    Text comes ordered by the source, whose order of text is its own business: the last value is the greatest. NaN
    does not count.
    """
    if pa.types.is_string(values.type):
        kept = values.drop_null()
        return kept[-1].as_py() if len(kept) else best
    if pa.types.is_floating(values.type):
        values = values.filter(pc.is_finite(values))
    elif pa.types.is_temporal(values.type):
        values = values.view(pa.int32() if pa.types.is_date32(values.type) else pa.int64())
    found = pc.max(values).as_py()
    return found if best is None or (found is not None and found > best) else best


def source_text(value: Any, plan: Plan) -> str:
    """A value of `furthest` as the source prints it (ISO dates, UTC)."""
    if plan.stored == "date":
        return _date_text(value, "")
    if plan.stored in ("timestamp", "instant"):
        days, rest = divmod(value, DAY_MICROSECONDS)
        seconds, fraction = divmod(rest, 1_000_000)
        clock = f" {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        clock += f".{fraction:06}".rstrip("0") if fraction else ""
        return _date_text(days, clock + ("+00" if plan.stored == "instant" else ""))
    return repr(value) if isinstance(value, float) else str(value)


def _date_text(days: int, clock: str) -> str:
    """Days since 1970 in the Gregorian calendar, with PostgreSQL's ` BC` behind the time."""
    # Eras of 400 years that begin on 1 March make the leap day the last of its year.
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = era * 400 + year_of_era + (month <= 2)
    shown, era_mark = (year, "") if year > 0 else (1 - year, " BC")
    return f"{shown:04}-{month:02}-{day:02}{clock}{era_mark}"
