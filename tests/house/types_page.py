"""docs/reference/types-postgresql.md, from the code that reads the types: see `pages`."""

from typing import Final

from hedgerow.connectors.kits.sql.pg_types import Declared, Plan, plan


def _numeric(precision: int, scale: int) -> Declared:
    """As PostgreSQL keeps `numeric(precision, scale)`."""
    return Declared("numeric", modifier=((precision << 16) | (scale & 0x7FF)) + 4)


TYPES: Final = (
    ("`boolean`", Declared("bool"), ""),
    ("`smallint`, `smallserial`", Declared("int2"), ""),
    ("`integer`, `serial`", Declared("int4"), ""),
    ("`bigint`, `bigserial`", Declared("int8"), ""),
    ("`oid`", Declared("oid"), ""),
    ("`xid8`", Declared("xid8"), ""),
    ("`numeric(10,2)`, precision up to 38", _numeric(10, 2), "exact, with the scale declared"),
    ("`numeric(5,-2)`", _numeric(5, -2), "room for the zeros before the point"),
    ("`numeric(2,4)`", _numeric(2, 4), "as many digits as there are behind the point"),
    ("`numeric(39,2)`, precision over 38", _numeric(39, 2), "all digits; `NaN` as `NaN`"),
    ("`numeric` without precision", Declared("numeric"), "all digits; `NaN`, `Infinity`, `-Infinity` as such"),
    ("`money`", Declared("money"), ""),
    ("`real`", Declared("float4"), "NaN and infinities are null in answers to queries only"),
    ("`double precision`", Declared("float8"), "the same"),
    ("`text`, `varchar(n)`, `citext`, `name`", Declared("text"), ""),
    ("`char(n)`", Declared("bpchar"), "with its blanks"),
    ('`"char"`', Declared("char"), "a byte over 127 as `\\303`"),
    ("`bytea`", Declared("bytea"), "in answers to queries as base64"),
    ("`date`", Declared("date"), "4714 BC to 5874897; in answers ISO, ` BC` at the end"),
    ("`timestamp`", Declared("timestamp"), "a wall clock, without a zone"),
    ("`timestamptz`", Declared("timestamptz"), "an instant, in UTC"),
    ("`time`", Declared("time"), "`24:00:00` too"),
    ("`timetz`", Declared("timetz"), "with its offset"),
    ("`interval`", Declared("interval"), "ISO 8601, `P1M-1DT0.000001S`: months, days and time stay apart"),
    ("`uuid`", Declared("uuid"), "in lower case"),
    (
        "`json`, `jsonb`",
        Declared("json"),
        "`json` as written, with its blanks and repeated keys; all digits of numbers",
    ),
    ("arrays", Declared("int4", is_array=True), "JSON, nested, with nulls; `NaN` and the like as text"),
    ("composite types", Declared("pair", builtin=False, kind="c"), "a JSON object; bounds of arrays in it as above"),
    ("enums", Declared("mood", builtin=False, kind="e"), "the label, also one added later"),
    ("domains", None, "as the type they stand for, through any number of domains"),
    ("ranges, multiranges", Declared("int4range", kind="r"), "PostgreSQL's text"),
    ("`hstore`", Declared("hstore", builtin=False), "a JSON object of texts and nulls"),
    ("`bit(n)`, `varbit`", Declared("bit"), "zeros and ones"),
    ("`inet`", Declared("inet"), "without a netmask where there is none"),
    ("`cidr`, `macaddr`, `macaddr8`", Declared("cidr"), "PostgreSQL's text"),
    ("`point`, `line`, `lseg`, `box`, `path`, `polygon`, `circle`", Declared("point"), "PostgreSQL's text"),
    ("`xml`, `tsvector`, `tsquery`, `jsonpath`, `pg_lsn`, `tid`, `xid`, `regclass`", Declared("xml"), "their text"),
    (
        "PostGIS `geometry`, `geography`",
        Declared("geometry", builtin=False),
        "EWKB in hexadecimal, with the SRID",
    ),
    ("any other type", Declared("vector", builtin=False), "PostgreSQL's text"),
)
"""What the page calls a type, how PostgreSQL keeps it, and how its values look."""
_BEFORE: Final = """\
# Types of PostgreSQL
<!-- Written by `make docs`. -->

How each type of a PostgreSQL column is stored, and what of it no table can hold. What is not named under *lost* is
kept value for value. `GET …/external_data_schemas/<id>/type_report/` says the same of the columns of one table, and how
many values were lost.

| type | stored as | values | lost |
|---|---|---|---|
"""
_AFTER: Final = """
In a database whose encoding is `SQL_ASCII`, bytes of texts that are not UTF-8 are replaced with U+FFFD, and counted.

Names of columns stay as they are, whatever characters they have. Of names that differ only in case the later ones get
`_2`, `_3` and so on.

## What is lost

Nothing is lost in silence. Each job counts under `losses`, column by column, the values that could not be stored, says
why, and names up to five of their rows by the key (by the place among the rows read where there is no key). What
happens besides is chosen for each table with `bad_values`:

| `bad_values` | such a value | |
|---|---|---|
| `null_and_count` | becomes null (an array keeps its elements) | the default |
| `keep_text` | the same, and its text is kept | in a column `<column>__raw`, which is null in all other rows |
| `fail` | fails the job | nothing is written, and the table is switched off until somebody acts |

`keep_text` adds its columns with the next job, for every column that may lose values. A table that is synced by
`incremental` or `append` has null in them for rows that were there before; `resync` reads these again. With another
policy later, the columns of such a table stay and are null in new rows.
"""


def page() -> str:
    lines = [f"| {name} | {_stored(declared)} | {note} | {_lost(declared)} |" for name, declared, note in TYPES]
    return _BEFORE + "\n".join(lines) + "\n" + _AFTER


def _stored(declared: Declared | None) -> str:
    return "" if declared is None else f"`{stored(plan(declared))}`"


def stored(made: Plan) -> str:
    """The stored type in words."""
    digits = ",".join(map(str, made.digits or ()))
    names = {"timestamp": "timestamp without zone", "instant": "timestamp in UTC"}
    return f"decimal({digits})" if digits else names.get(made.stored, made.stored)


def _lost(declared: Declared | None) -> str:
    return (plan(declared).may_lose or "") if declared else ""
