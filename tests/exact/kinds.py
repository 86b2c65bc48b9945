"""Every type of PostgreSQL: how it is declared, values it may have, and what type_mapping.md says becomes of them.

What is expected is made from PostgreSQL's own output of a value (ISO dates, UTC, ISO intervals), by rules written here
and nowhere else: nothing of this looks at the code that it judges.
"""

import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal

from hypothesis import strategies as st

from tests.exact import literals

Stored = Literal["bool", "int", "float", "float4", "decimal", "date", "time", "text", "json", "bytes"]
LAST_MICROSECOND: Final = 2**63 - 2
"""The greatest number says infinity."""


@dataclass(frozen=True)
class Kept:
    """What a table holds of one value; `lost` when that is not all of it."""

    value: Any
    lost: bool = False


@dataclass(frozen=True)
class Number:
    """A number in JSON, as written."""

    text: str


@dataclass(frozen=True)
class Kind:
    """A column type. `values` are input texts, `keep` takes PostgreSQL's output text, `in_json` too."""

    declared: str
    values: st.SearchStrategy[str]
    stored: Stored
    keep: Callable[[str], Kept]
    in_json: Callable[[str], Any] = str
    can_lose: bool = False
    delimiter: str = ","
    orders: bool = False
    """Whether a key may have it."""
    moved: Callable[[str], bool] = lambda _text: False
    """Whether an output text holds an array that does not begin at 1."""


# ---- from output texts to values -------------------------------------------------------------------------------------


def days(text: str) -> int:
    """`YYYY-MM-DD[ BC]` as days since 1970: cycles of 400 years have 146,097 days."""
    match = re.fullmatch(r"(\d{4,})-(\d\d)-(\d\d)( BC)?", text)
    assert match, text
    year = int(match[1]) if not match[4] else 1 - int(match[1])
    cycle = (year - 1970) // 400
    return date(year - 400 * cycle, int(match[2]), int(match[3])).toordinal() - 719_163 + 146_097 * cycle


def microseconds(text: str) -> int:
    """`YYYY-MM-DD HH:MM:SS[.ffffff][+00][ BC]` as microseconds since 1970."""
    match = re.fullmatch(r"(\S+) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:\+00)?( BC)?", text)
    assert match, text
    seconds = (int(match[2]) * 60 + int(match[3])) * 60 + int(match[4])
    return (days(match[1] + (match[6] or "")) * 86_400 + seconds) * 1_000_000 + int((match[5] or "").ljust(6, "0"))


def read_json(text: str) -> Any:
    """JSON with its numbers as written and its repeated keys."""
    return json.loads(text, parse_int=Number, parse_float=Number, object_pairs_hook=tuple)


def single(text: str) -> float:
    """The number of 32 bits that a text stands for."""
    number: float = struct.unpack("f", struct.pack("f", float(text)))[0]
    return number


def _same(text: str) -> Kept:
    return Kept(text)


def _date(text: str) -> Kept:
    return Kept(None, lost=True) if "infinity" in text else Kept(days(text))


def _time(text: str) -> Kept:
    at = None if "infinity" in text else microseconds(text)
    return Kept(at) if at is not None and at <= LAST_MICROSECOND else Kept(None, lost=True)


def _one_byte(text: str) -> str:
    """A byte that is no text as PostgreSQL 16 and later write it; earlier ones give the byte itself."""
    return re.sub("[\\udc80-\\udcff]", lambda found: f"\\{ord(found[0]) - 0xDC00:03o}", text)


def _json_number(text: str) -> Any:
    return Number(text) if re.fullmatch(r"-?\d.*", text) else text


def _json_time(text: str) -> str:
    return re.sub(r"\+00(?= BC|$)", "+00:00", text.replace(" ", "T", 1)) if text[0].isdigit() else text


# ---- values ----------------------------------------------------------------------------------------------------------

TEXT: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_JSON: Final = st.recursive(
    st.sampled_from(["null", "true", "1.10", "-0", "1e400", "123456789012345678901234567890", "0.1", '""', '"\\u00e9"'])
    | TEXT.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: "[" + " , ".join(each) + "]")
        | st.lists(st.tuples(st.sampled_from(['"a"', '"b"', '"é"']), inner), max_size=3).map(
            lambda each: "{" + ",  ".join(f"{key}: {value}" for key, value in each) + "}"
        )
    ),
    max_leaves=4,
)
_DATES: Final = st.builds(
    "{:04}-{:02}-{:02}{}".format,
    st.integers(1, 4713) | st.integers(1600, 2100),
    st.integers(2, 12),
    st.integers(1, 28),
    st.sampled_from(["", "", "", " BC"]),
) | st.sampled_from(["0001-01-01", "0001-12-31 BC", "9999-12-31", "10000-01-01", "2024-02-29", "4713-01-01 BC"])
_CLOCKS: Final = st.builds(
    "{:02}:{:02}:{:02}.{:06}".format,
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 59),
    st.integers(0, 999_999),
)
_EDGES: Final = st.sampled_from(
    ["infinity", "-infinity", "294247-01-10 04:00:54.775806", "294247-01-10 04:00:54.775807", "294276-12-31 23:59:59",
     "4714-11-24 00:00:00 BC", "1677-09-21 00:12:43.145224", "2262-04-11 23:47:16.854776"]
)  # fmt: skip
_TIMES: Final = _EDGES | st.builds(
    lambda day, clock: f"{day.removesuffix(' BC')} {clock}{' BC' if day.endswith('BC') else ''}", _DATES, _CLOCKS
)
_NAN: Final = st.sampled_from(["NaN", "NaN", "Infinity", "-Infinity"])
_INTERVALS: Final = st.builds(
    "{} mons {} days {} microseconds".format,
    st.integers(-99_999, 99_999),
    st.integers(-99_999, 99_999),
    st.integers(-(10**14), 10**14),
) | st.sampled_from(["0", "1 mon -1 day 00:00:00.000001", "-178000000 years"])
_IPS: Final = st.ip_addresses().map(str)
_POINTS: Final = st.builds("({},{})".format, *[st.floats(allow_nan=False, allow_infinity=False, width=32)] * 2)


def _whole(declared: str, low: int, high: int) -> Kind:
    values = (st.integers(low, high) | st.sampled_from([low, high, 0])).map(str)
    return Kind(declared, values, "int", lambda text: Kept(int(text)), _json_number, orders=True)


def _plain(declared: str, values: st.SearchStrategy[str], *, orders: bool = False, delimiter: str = ",") -> Kind:
    return Kind(declared, values, "text", _same, orders=orders, delimiter=delimiter)


def numeric(precision: int, scale: int) -> Kind:
    """`numeric(precision, scale)`; text beyond 38 digits."""
    coefficients = st.integers(1 - 10**precision, 10**precision - 1) | st.sampled_from([0, 10**precision - 1])
    values = coefficients.map(lambda number: f"{number}e{-scale}") | st.just("NaN")
    digits, after = (precision - scale, 0) if scale < 0 else (max(precision, scale), scale)
    declared = f"numeric({precision},{scale})"
    if digits > 38:
        return Kind(declared, values, "text", _same, _json_number)

    def keep(text: str) -> Kept:
        if text == "NaN":
            return Kept(None, lost=True)
        number = Decimal(text)
        assert -int(number.as_tuple().exponent) == after, text
        return Kept(number)

    return Kind(declared, values, "decimal", keep, _json_number, can_lose=True)


def _money(text: str) -> Kept:
    return Kept(Decimal(text.replace("$", "").replace(",", "")))


SCALARS: Final = [
    Kind("boolean", st.sampled_from(["t", "f"]), "bool", lambda t: Kept(t == "t"), lambda t: t == "t", orders=True),
    _whole("smallint", -(2**15), 2**15 - 1),
    _whole("integer", -(2**31), 2**31 - 1),
    _whole("bigint", -(2**63), 2**63 - 1),
    Kind("oid", st.integers(0, 2**32 - 1).map(str), "int", lambda text: Kept(int(text)), orders=True),
    Kind("xid8", st.integers(0, 2**64 - 1).map(str), "decimal", lambda text: Kept(Decimal(text)), orders=True),
    _plain("xid", st.integers(0, 2**32 - 1).map(str)),
    Kind("real", st.floats(width=32).map(repr), "float4", lambda text: Kept(single(text)), _json_number),
    Kind("double precision", st.floats().map(repr), "float", lambda text: Kept(float(text)), _json_number),
    Kind(
        "numeric",
        st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
        | st.integers(1, 300).map(lambda zeros: f"1e{zeros}")
        | st.integers(1, 300).map(lambda zeros: f"-1.10e-{zeros}")
        | _NAN,
        "text",
        _same,
        _json_number,
        orders=True,
    ),
    Kind("money", st.integers(-(2**63), 2**63 - 1).map(lambda cents: f"{Decimal(cents) / 100:f}"), "decimal", _money,
         can_lose=True),
    _plain("text", TEXT, orders=True),
    _plain("varchar(9)", TEXT.map(lambda text: text[:9]), orders=True),
    _plain("char(7)", TEXT.map(lambda text: text[:7])),
    _plain("name", TEXT.map(lambda text: text[:15])),
    Kind('"char"', st.sampled_from(["", "a", "~", "\\", '"', "é"]), "text", lambda text: Kept(_one_byte(text))),
    Kind("bytea", st.binary(max_size=20).map(lambda raw: f"\\x{raw.hex()}"), "bytes",
         lambda text: Kept(bytes.fromhex(text[2:])), orders=True),
    Kind("date", _DATES | st.sampled_from(["infinity", "-infinity", "5874897-12-31", "4714-11-24 BC"]), "date", _date,
         can_lose=True),
    Kind("timestamp", _TIMES, "time", _time, _json_time, can_lose=True),
    Kind("timestamp(3)", _TIMES, "time", _time, _json_time, can_lose=True),
    Kind("timestamptz", _TIMES, "time", _time, _json_time, can_lose=True),
    _plain("time", _CLOCKS | st.sampled_from(["24:00:00", "00:00:00"]), orders=True),
    _plain("timetz", st.builds("{}{:+03}:30".format, _CLOCKS, st.integers(-14, 14))),
    _plain("interval", _INTERVALS),
    _plain("uuid", st.uuids().map(str), orders=True),
    Kind("json", _JSON | st.just('"\\u0000"'), "text", _same, read_json),
    Kind("jsonb", _JSON, "text", _same, read_json),
    _plain("inet", _IPS | st.builds("10.0.0.1/{}".format, st.integers(0, 32))),
    _plain("cidr", _IPS | st.just("10.0.0.0/8")),
    _plain("macaddr", st.just("08:00:2b:01:02:03")),
    _plain("macaddr8", st.just("08:00:2b:ff:fe:01:02:03")),
    _plain("bit(5)", st.text("01", min_size=5, max_size=5)),
    _plain("varbit", st.text("01", max_size=70)),
    _plain("tsvector", st.sampled_from(["'a' 'b':1A,2", "'it''s':3", ""])),
    _plain("tsquery", st.sampled_from(["'a' & !'b'", ""])),
    _plain("pg_lsn", st.sampled_from(["16/B374D848", "0/0"])),
    _plain("tid", st.builds("({},{})".format, st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1))),
    _plain("point", _POINTS),
    _plain("lseg", st.builds("[{},{}]".format, _POINTS, _POINTS)),
    _plain("box", st.builds("{},{}".format, _POINTS, _POINTS), delimiter=";"),
    _plain("polygon", st.lists(_POINTS, min_size=1, max_size=4).map(lambda points: f"({','.join(points)})")),
    _plain("circle", st.builds("<{},{}>".format, _POINTS, st.integers(0, 99))),
    _plain("jsonpath", st.just('$."a"[*]?(@ > 1)')),
    _plain("regclass", st.sampled_from(["pg_class", "pg_type"])),
]  # fmt: skip


# ---- made of others --------------------------------------------------------------------------------------------------


def array_of(kind: Kind) -> Kind:
    """Arrays of up to three dimensions; lower bounds other than 1 are lost."""

    @st.composite
    def values(draw: st.DrawFn) -> str:
        sizes = draw(st.lists(st.integers(1, 3), max_size=3))
        if not sizes:
            return "{}"
        lower = [draw(st.integers(-3, 3)) for _ in sizes] if draw(st.integers(0, 3)) == 0 else []

        def level(left: list[int]) -> Any:
            return [level(left[1:]) for _ in range(left[0])] if left else draw(st.none() | kind.values)

        return literals.array(level(sizes), lower, kind.delimiter)

    def read(text: str) -> Any:
        return literals.each(literals.read_array(text, kind.delimiter)[0], kind.in_json)

    def moved(text: str) -> bool:
        elements, is_moved = literals.read_array(text, kind.delimiter)
        inside: list[bool] = []
        literals.each(elements, lambda element: inside.append(kind.moved(element)))
        return is_moved or any(inside)

    def keep(text: str) -> Kept:
        return Kept(read(text), lost=moved(text))

    return Kind(f"{kind.declared}[]", values(), "json", keep, read, can_lose=True, moved=moved)


def row_of(name: str, fields: dict[str, Kind]) -> Kind:
    """A composite type that `create type` has made."""

    def read(text: str) -> Any:
        found = zip(fields.items(), literals.read_row(text), strict=True)
        return tuple((field, None if value is None else kind.in_json(value)) for (field, kind), value in found)

    def moved(text: str) -> bool:
        found = zip(fields.values(), literals.read_row(text), strict=True)
        return any(value is not None and kind.moved(value) for kind, value in found)

    values = st.tuples(*(st.none() | kind.values for kind in fields.values())).map(literals.row)
    can_lose = any(kind.can_lose and kind.stored == "json" for kind in fields.values())
    return Kind(name, values, "json", lambda text: Kept(read(text), moved(text)), read, can_lose=can_lose, moved=moved)


def _ranges() -> list[Kind]:
    bounds = {
        "int4range": ("-5", "7"),
        "int8range": (str(2**53), str(2**60)),
        "numrange": ("-1.50", "2e30"),
        "daterange": ("2024-01-01", "infinity"),
        "tsrange": ("2024-01-01 00:00:00.5", "9999-12-31"),
        "tstzrange": ("0044-03-15 BC", "2024-01-01 00:00:00+02"),
    }
    found = []
    for name, (low, high) in bounds.items():
        texts = st.sampled_from(
            ["empty", "(,)", f'["{low}","{high}")', f'("{low}",)', f'(,"{high}"]', f'["{low}","{low}"]']
        )
        found.append(_plain(name, texts))
        multi = texts.filter(lambda text: text != "empty").map(lambda text: f"{{{text}}}")
        found.append(_plain(name.replace("range", "multirange"), multi | st.just("{}")))
    return found


RANGES: Final = _ranges()
BY_NAME: Final = {kind.declared: kind for kind in [*SCALARS, *RANGES]}
MOOD: Final = _plain("mood", st.sampled_from(["sad", 'so "so"', "it's", "🦔", "a,b"]), orders=True)
PRICE: Final = numeric(10, 2)
PAIR: Final = row_of(
    "pair",
    {
        "a": BY_NAME["integer"],
        'B "b" c': BY_NAME["numeric"],
        "c d": BY_NAME["text"],
        "at": BY_NAME["timestamptz"],
        "m": MOOD,
        "doc": BY_NAME["json"],
    },
)
BAG: Final = row_of(
    "bag", {"tags {}": array_of(BY_NAME["text"]), "pairs": array_of(PAIR), "one": PAIR, "n": BY_NAME["integer"]}
)
MADE: Final = [
    MOOD,
    PAIR,
    BAG,
    replace(BAG, declared="sack"),
    Kind("whole", BY_NAME["integer"].values, "int", lambda text: Kept(int(text)), _json_number),
    Kind("dear", PRICE.values, "decimal", PRICE.keep, _json_number, can_lose=True),
    replace(array_of(BY_NAME["text"]), declared="tags"),
    Kind("day", BY_NAME["date"].values, "date", _date, can_lose=True),
]  # fmt: skip
MAKE_TYPES: Final = """
    create type mood as enum ('sad', 'so "so"', 'it''s', '🦔', 'a,b');
    create type pair as (a int, "B ""b"" c" numeric, "c d" text, at timestamptz, m mood, doc json);
    create type bag as ("tags {}" text[], pairs pair[], one pair, n int);
    create domain sack as bag;
    create domain whole as int;
    create domain price as numeric(10,2);
    create domain dear as price;
    create domain tags as text[];
    create domain "day" as date;
"""
"""What the kinds of MADE stand on."""
HSTORE: Final = Kind(
    "hstore",
    st.dictionaries(TEXT, st.none() | TEXT, max_size=3).map(literals.hstore),
    "json",
    lambda text: Kept(tuple(literals.read_hstore(text).items())),
    lambda text: tuple(literals.read_hstore(text).items()),
)


@st.composite
def kinds(draw: st.DrawFn, version: int, extra: tuple[Kind, ...] = ()) -> Kind:
    """Any kind that a server of this version knows."""
    wanted = st.sampled_from([*SCALARS, *RANGES, *MADE, *extra]).filter(
        lambda kind: version >= 140_000 or "multirange" not in kind.declared
    )
    how = draw(st.integers(0, 9))
    if how < 2:
        precision = draw(st.integers(1, 45) | st.sampled_from([38, 39, 76, 100]))
        return numeric(precision, draw(st.integers(-9, 45) if version >= 150_000 else st.integers(0, precision)))
    kind = draw(wanted)
    if how < 5 and not kind.declared.startswith(("tags", "hstore")):
        return array_of(kind)
    return kind
