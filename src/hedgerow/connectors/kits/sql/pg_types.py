"""How each PostgreSQL type is asked for, carried and kept (`type_mapping.md` of the contract, its section 4).

A column's `Plan` is made from its declared type alone, before a row is read. Types that the fast reader decodes exactly
travel as they are; everything else travels as text made by the server and is decoded here.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from hedgerow.connectors.contract import ColumnType, CursorType

Stored = Literal[
    "bool",
    "int16",
    "int32",
    "int64",
    "float32",
    "float64",
    "date",
    "timestamp",
    "instant",
    "decimal",
    "string",
    "binary",
]
MAX_DECIMAL_DIGITS: Final = 38
LAST_TIME: Final = "294247-01-10 04:00:54.775806"
"""The next microsecond stands for infinity."""
MONEY: Final = (19, 2)
UNSIGNED_64: Final = (20, 0)


@dataclass(frozen=True)
class Declared:
    """A type with its domains resolved. `name` is PostgreSQL's internal one; `builtin`: not from an extension or user.

    `kind` is pg_type.typtype (b base, c composite, e enum, r range, m multirange), `modifier` as in pg_attribute.
    """

    name: str
    builtin: bool = True
    kind: str = "b"
    is_array: bool = False
    modifier: int = -1
    is_filled: bool = False
    """The table sees to it that there are no nulls and that every value is as declared."""

    @property
    def is_nested(self) -> bool:
        """Whether its values consist of others whose types a look at this one does not tell."""
        return self.kind == "c" or (self.is_array and not self.builtin)


@dataclass(frozen=True)
class Plan:
    """How to read one column: in `expression` `{0}` is the quoted column; `digits` are precision and scale.

    `may_lose` says which values no table can hold, None when it holds them all; `lossy` is the condition in SQL under
    which a value is one of them, where the value that travels does not tell.
    """

    expression: str
    stored: Stored
    digits: tuple[int, int] | None = None
    cursor_type: CursorType | None = None
    nan_is_null: bool = False
    """A null can only be a NaN that the expression replaced."""
    may_lose: str | None = None
    lossy: str | None = None
    is_hidden: bool = False
    """What arrives does not show that something was lost: `lossy` has to be asked for."""

    @property
    def row_expression(self) -> str:
        """For the reader by rows, which knows the binary forms of plain types only."""
        return f"({self.expression})::text" if self.stored in ("string", "decimal") else self.expression

    @property
    def type(self) -> ColumnType:
        """The contract's word for the stored type (§3.2)."""
        return _CONTRACT_TYPES[self.stored]

    @property
    def is_text(self) -> bool:
        """Whether the value travels as text that may hold any character."""
        return self.stored == "string"


_CONTRACT_TYPES: Final[dict[Stored, ColumnType]] = {
    "bool": "boolean",
    "int16": "integer",
    "int32": "integer",
    "int64": "integer",
    "float32": "float",
    "float64": "float",
    "date": "date",
    "timestamp": "datetime",
    "instant": "datetime",
    "decimal": "decimal",
    "string": "string",
    "binary": "string",
}
_NAN: Final = "NaN becomes null"
_TIMES: Final = f"infinity, -infinity and times after {LAST_TIME} become null"
NOT_TEXT: Final = "bytes that are not UTF-8 are replaced"
_BOUNDS: Final = "the lower bounds of arrays are kept only when they are 1"
TEXT: Final = Plan("{0}::text", "string")
JSON: Final = Plan("to_json({0})::text", "string")
_VECTORS: Final = ("int2vector", "oidvector")
"""Arrays that always begin at 0."""
# Of dimensions as in `[1:2][0:3]`. No backslash: what one means depends on a setting of the role.
ARRAY: Final = replace(JSON, may_lose=_BOUNDS, lossy="array_dims({0}) ~ '[[](?!1:)'", is_hidden=True)
BUILTIN: Final = {
    "bool": Plan("{0}::bool", "bool"),
    "int2": Plan("{0}::int2", "int16", cursor_type="integer"),
    "int4": Plan("{0}::int4", "int32", cursor_type="integer"),
    "int8": Plan("{0}::int8", "int64", cursor_type="integer"),
    "oid": Plan("{0}::int8", "int64"),
    "float4": Plan("{0}::float4", "float32"),
    "float8": Plan("{0}::float8", "float64"),
    "date": Plan(
        "{0}::date",
        "date",
        cursor_type="date",
        may_lose="infinity and -infinity become null",
        lossy="not isfinite({0})",
    ),
    "timestamp": Plan(
        "{0}::timestamp",
        "timestamp",
        cursor_type="timestamp",
        may_lose=_TIMES,
        lossy=f"(not isfinite({{0}}) or {{0}} > '{LAST_TIME}')",
    ),
    "timestamptz": Plan(
        "{0}::timestamptz",
        "instant",
        cursor_type="timestamp",
        may_lose=_TIMES,
        lossy=f"(not isfinite({{0}}) or {{0}} > '{LAST_TIME}+00')",
    ),
    "bytea": Plan("{0}::bytea", "binary"),
    "uuid": Plan("{0}::uuid", "string"),
    "json": Plan("{0}::json", "string"),
    "jsonb": Plan("{0}::jsonb", "string"),
    "money": Plan("({0}::numeric)::text", "decimal", MONEY, may_lose="more than two decimal places become null"),
    "xid8": Plan("{0}::text", "decimal", UNSIGNED_64),
    # A byte that is no text alone is written as PostgreSQL 16 and later write it: earlier ones send it as it is.
    "char": Plan(
        "case when {0}::int4 < 0 then chr(92) || ({0}::int4 + 256 >> 6) || (({0}::int4 + 256 >> 3) & 7) "
        "|| (({0}::int4 + 256) & 7) else {0}::text end",
        "string",
    ),
    # A cast to text trims the blanks of char(n) and adds a netmask to addresses; the types' own output does not.
    "bpchar": Plan("textin(bpcharout({0}))", "string"),
    "inet": Plan("textin(inet_out({0}))", "string"),
}


def plan(declared: Declared) -> Plan:
    """How a column of this type is read. Every type has a plan: what is not known travels as the server's text."""
    if declared.is_array:
        return JSON if declared.name in _VECTORS else ARRAY
    if declared.kind == "c" or (declared.name == "hstore" and not declared.builtin):
        return JSON
    if not declared.builtin or declared.kind != "b":
        return TEXT
    if declared.name == "numeric":
        return _numeric(declared.modifier, declared.is_filled)
    return BUILTIN.get(declared.name, TEXT)


def _numeric(modifier: int, is_filled: bool) -> Plan:
    """Decimal as declared; text where there is no declaration or it has more digits than tables can hold.

    The fast reader takes NaN for zero. Where there are no other nulls NaN travels as null, which costs least; else
    numbers travel as text.
    """
    if modifier < 0:
        return TEXT
    precision, scale = (modifier - 4) >> 16, (((modifier - 4) & 0x7FF) ^ 0x400) - 0x400
    is_usual = 0 <= scale <= precision <= MAX_DECIMAL_DIGITS
    if is_filled and is_usual:
        guarded = f"nullif({{0}}::numeric({precision},{scale}), 'NaN')"
        return Plan(guarded, "decimal", (precision, scale), nan_is_null=True, may_lose=_NAN)
    if scale < 0:
        precision, scale = precision - scale, 0
    precision = max(precision, scale)
    if precision > MAX_DECIMAL_DIGITS:
        return TEXT
    return Plan("{0}::text", "decimal", (precision, scale), may_lose=_NAN)


def as_text(plan: Plan) -> Plan:
    """The same column, read so that the source's own text of every lost value is there."""
    return replace(plan, expression="{0}::text", nan_is_null=False) if plan.nan_is_null else plan
