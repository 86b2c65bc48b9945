"""How each PostgreSQL type is asked for, carried and kept (`type_mapping.md` of the contract, its section 4).

A column's `Plan` is made from its declared type alone, before a row is read. Types that the fast reader decodes exactly
travel as they are; everything else travels as text made by the server and is decoded here.
"""

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Plan:
    """How to read one column: `expression` has one `{}` for the quoted column; `digits` are precision and scale."""

    expression: str
    stored: Stored
    digits: tuple[int, int] | None = None
    cursor_type: CursorType | None = None
    nan_is_null: bool = False
    """A null can only be a NaN that the expression replaced."""

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
_TEXT: Final = Plan("{}::text", "string")
_JSON: Final = Plan("to_json({})::text", "string")
_BUILTIN: Final = {
    "bool": Plan("{}::bool", "bool"),
    "int2": Plan("{}::int2", "int16", cursor_type="integer"),
    "int4": Plan("{}::int4", "int32", cursor_type="integer"),
    "int8": Plan("{}::int8", "int64", cursor_type="integer"),
    "oid": Plan("{}::int8", "int64"),
    "float4": Plan("{}::float4", "float32"),
    "float8": Plan("{}::float8", "float64"),
    "date": Plan("{}::date", "date", cursor_type="date"),
    "timestamp": Plan("{}::timestamp", "timestamp", cursor_type="timestamp"),
    "timestamptz": Plan("{}::timestamptz", "instant", cursor_type="timestamp"),
    "bytea": Plan("{}::bytea", "binary"),
    "uuid": Plan("{}::uuid", "string"),
    "json": Plan("{}::json", "string"),
    "jsonb": Plan("{}::jsonb", "string"),
    "money": Plan("({}::numeric)::text", "decimal", MONEY),
    "xid8": Plan("{}::text", "decimal", UNSIGNED_64),
    # A cast to text trims the blanks of char(n) and adds a netmask to addresses; the types' own output does not.
    "bpchar": Plan("textin(bpcharout({}))", "string"),
    "inet": Plan("textin(inet_out({}))", "string"),
}


def plan(declared: Declared) -> Plan:
    """How a column of this type is read. Every type has a plan: what is not known travels as the server's text."""
    if declared.is_array or declared.kind == "c" or (declared.name == "hstore" and not declared.builtin):
        return _JSON
    if not declared.builtin or declared.kind != "b":
        return _TEXT
    if declared.name == "numeric":
        return _numeric(declared.modifier, declared.is_filled)
    return _BUILTIN.get(declared.name, _TEXT)


def _numeric(modifier: int, is_filled: bool) -> Plan:
    """Decimal as declared; text where there is no declaration or it has more digits than tables can hold.

    The fast reader takes NaN for zero. Where there are no other nulls NaN travels as null, which costs least; else
    numbers travel as text.
    """
    if modifier < 0:
        return _TEXT
    precision, scale = (modifier - 4) >> 16, (((modifier - 4) & 0x7FF) ^ 0x400) - 0x400
    is_usual = 0 <= scale <= precision <= MAX_DECIMAL_DIGITS
    if is_filled and is_usual:
        guarded = f"nullif({{}}::numeric({precision},{scale}), 'NaN')"
        return Plan(guarded, "decimal", (precision, scale), nan_is_null=True)
    if scale < 0:
        precision, scale = precision - scale, 0
    precision = max(precision, scale)
    if precision > MAX_DECIMAL_DIGITS:
        return _TEXT
    return Plan("{}::text", "decimal", (precision, scale))
