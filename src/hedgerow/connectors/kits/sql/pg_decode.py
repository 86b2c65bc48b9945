"""From what the fast reader hands over to exactly the planned Arrow columns; what no type can hold is counted.

Works on whole columns. Python looks at single values only in a batch that holds some which cannot be stored.
"""

from dataclasses import dataclass
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
BOUNDS_GONE: Final = "an array that does not begin at 1: its bounds were not kept"


@dataclass(frozen=True)
class Lost:
    """Values that could not be kept as they are: which (`mask`, never null), why, and the source's text of each.

    `texts` is a whole column, null throughout when nobody asked for it.
    """

    reason: str
    mask: pa.BooleanArray
    texts: pa.StringArray


def arrow_type(plan: Plan) -> pa.DataType:
    """The stored type of a column."""
    return pa.decimal128(*plan.digits) if plan.digits else _TYPES[plan.stored]


def decode(values: pa.Array, plan: Plan, checked: pa.Array | None = None) -> tuple[pa.Array, Lost | None]:
    """The column as planned, and what of it was lost. `checked` holds the source's text where `Plan.lossy` is true."""
    if plan.digits:
        return _decimals(values, plan)
    if plan.stored in _BOUNDS:
        return _in_range(values, plan, checked)
    lost = None
    if plan.is_text and pa.types.is_binary(values.type):
        values, lost = _text(values)
    if plan.is_hidden and checked is not None:
        lost = lost or _lost(BOUNDS_GONE, checked.is_valid(), checked)
    wanted = arrow_type(plan)
    return (values if values.type == wanted else values.cast(wanted)), lost


def _lost(reason: str, mask: pa.BooleanArray, texts: pa.Array | None) -> Lost | None:
    if not pc.any(mask).as_py():
        return None
    return Lost(reason, mask, pa.nulls(len(mask), pa.string()) if texts is None else texts)


def _gone(before: pa.Array, after: pa.Array) -> pa.BooleanArray:
    """Which values became null."""
    return pc.and_(before.is_valid(), after.is_null())


def _decimals(values: pa.Array, plan: Plan) -> tuple[pa.Array, Lost | None]:
    digits = plan.digits or (0, 0)
    wanted = pa.decimal128(*digits)
    try:
        return values.cast(wanted), _lost(NOT_A_NUMBER, values.is_null(), None) if plan.nan_is_null else None
    except pa.ArrowInvalid:
        numbers = pc.if_else(pc.is_in(values, _NO_NUMBERS), pa.scalar(None, pa.string()), values)
    try:
        decoded = numbers.cast(wanted)
    except pa.ArrowInvalid:  # a foreign table's declaration binds nobody: look at each value
        decoded = pa.array([_decimal(text, digits) for text in numbers.to_pylist()], wanted)
    return decoded, _lost(NOT_A_NUMBER, _gone(values, decoded), values)


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


def _in_range(values: pa.Array, plan: Plan, checked: pa.Array | None) -> tuple[pa.Array, Lost | None]:
    raw_type, first, last = _BOUNDS[plan.stored]
    raw = values.view(raw_type)
    extremes = pc.min_max(raw)
    least, greatest = extremes["min"].as_py(), extremes["max"].as_py()
    if least is None or (least >= first and greatest <= last):
        return raw.view(arrow_type(plan)), None
    inside = pc.and_(pc.greater_equal(raw, first), pc.less_equal(raw, last))
    kept = pc.if_else(inside, raw, pa.scalar(None, raw_type))
    return kept.view(arrow_type(plan)), _lost(OUT_OF_RANGE, _gone(raw, kept), checked)


def _text(values: pa.Array) -> tuple[pa.Array, Lost | None]:
    """Bytes of a database that does not know its encoding, as text. What is none is kept in hexadecimal."""
    try:
        return values.cast(pa.string()), None
    except pa.ArrowInvalid:
        texts = [None if each is None else each.decode("utf-8", "replace") for each in values.to_pylist()]
    decoded = pa.array(texts, pa.string())
    mask = pc.not_equal(decoded.cast(pa.binary()), values).fill_null(False)
    raw = [
        f"\\x{each.hex()}" if wrong else None for each, wrong in zip(values.to_pylist(), mask.to_pylist(), strict=True)
    ]
    return decoded, _lost(NOT_UTF8, mask, pa.array(raw, pa.string()))


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
