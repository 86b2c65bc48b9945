"""The accepted SQL → DuckDB SQL; which tables a query names (api_conventions.md §11.1).

Pure: text in, text out. Standard SELECT as DuckDB reads it, plus: back-quoted names, `{placeholder}`, `numbers(n)`,
versions of tables, and ClickHouse's names with ClickHouse's meaning. Loaded only in query processes. What is let
through here is checked once more against DuckDB's own parser (`lake.guard`), so a difference between two parsers opens
nothing.

- `table AT (VERSION => 3)` and `table AT (TIMESTAMP => '2026-11-24 10:00')` are the table as it was then, the alias on
  either side; `table VERSION AS OF 3` and `table TIMESTAMP AS OF '…'` mean the same.
- `toStartOfWeek(x)` starts on Sunday and `toStartOfWeek(x, 1)` on Monday, as in ClickHouse (even and odd modes).
- `toDate`, `toInt`, `toFloat` give NULL for what cannot be converted; `toInt` cuts towards zero.
- `uniq` counts exactly. `sumIf` is 0 when no row meets the condition.
- `JSONExtractString(json, key or 1-based index, …)` is an empty string when there is no text at that place.
"""

import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlglot import errors, exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token, TokenType

from hedgerow.core.errors import BadRequestError

DEFAULT_ROWS: Final = 100
TOO_DEEP: Final = "The query is nested too deeply."
_LONGEST_NAME: Final = 120
_ESCAPES: Final = re.compile(r"\x1b\[[0-9]*m")
_WHOLE: Final = re.compile(r"[0-9]{1,18}")

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # its warnings are about SQL that is refused here anyway


@dataclass(frozen=True)
class View:
    """A table as a query wants it: at a version, at a moment, or (None) as it is."""

    table: str
    at: int | datetime | None = None


@dataclass(frozen=True)
class Translated:
    """One query, ready for DuckDB. `sql` asks for one row more than `limit`, to learn whether there are more.

    `views` are the names that `sql` reads from.
    """

    sql: str
    views: Mapping[str, View]
    limit: int
    offset: int


def translate(sql: str, values: Mapping[str, Any], known: Callable[[str], bool], max_rows: int) -> Translated:
    """Read one SELECT, fill its placeholders, and give it a limit: its own up to `max_rows`, or 100 rows.

    `known` says whether a table of this name may be read. Raises BadRequestError with the contract's texts.
    """
    try:
        tree = _parse(_fill(sql, values))
        views = _resolve(tree, known)
        _name_columns(tree)
        limit, offset = _set_limit(tree, max_rows)
        text = tree.sql(Hedgerow, comments=False, unsupported_level=errors.ErrorLevel.RAISE)
    except errors.ParseError as error:
        raise BadRequestError(_position(error)) from error
    except (errors.TokenError, errors.UnsupportedError) as error:
        raise BadRequestError(f"Syntax error: {str(error.__cause__ or error).splitlines()[0]}") from error
    except RecursionError as error:
        raise BadRequestError(TOO_DEEP) from error
    return Translated(text, views, limit, offset)


def _parse(sql: str) -> exp.Query:
    trees = [tree for tree in Hedgerow().parse(sql) if tree is not None and not isinstance(tree, exp.Semicolon)]
    if not trees:
        raise BadRequestError("The query is empty.")
    if len(trees) > 1:
        raise BadRequestError("Only one statement may be run at a time.")
    tree = trees[0]
    if isinstance(tree, exp.Values) or not isinstance(tree, exp.Query) or tree.find(exp.Into, exp.DML):
        raise BadRequestError("Only SELECT statements are allowed.")
    return tree


def _position(error: errors.ParseError) -> str:
    if not error.errors:
        return f"Syntax error: {_ESCAPES.sub('', str(error)).splitlines()[0]}"
    first = error.errors[0]
    near = f" near `{first['highlight']}`" if first.get("highlight") else ""
    what = str(first.get("description", "")).removeprefix("Invalid expression / ").split(" but got <")[0].rstrip(". ")
    return f"Syntax error at line {first.get('line')}, column {first.get('col')}{near}: {what}."


# ── Placeholders ────────────────────────────────────────────────────────────────────────────────────────────────────


def _fill(sql: str, values: Mapping[str, Any]) -> str:
    """`{name}` outside of strings and comments replaced by a literal of its value."""
    tokens = Hedgerow().tokenize(sql)
    parts, end = [], 0
    for index, name in _placeholders(tokens):
        opening, closing = tokens[index], tokens[index + 2]
        if name not in values:
            raise BadRequestError(f"Unable to resolve placeholder: {{{name}}}")
        before = [t.token_type for t in tokens[max(index - 2, 0) : index]]
        bare = before == [TokenType.IN, TokenType.L_PAREN]
        parts += [sql[end : opening.start], _literal(name, values[name], bare=bare)]
        end = closing.end + 1
    return "".join([*parts, sql[end:]])


def _placeholders(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """(index of the opening brace, name). `{a: 1}` and `{'a': 1}` are structs and pass."""
    for i in range(len(tokens) - 2):
        opening, name, closing = tokens[i : i + 3]
        braced = opening.token_type is TokenType.L_BRACE and closing.token_type is TokenType.R_BRACE
        if braced and name.token_type not in (TokenType.STRING, TokenType.NUMBER, TokenType.L_BRACE):
            yield i, name.text


def _literal(name: str, value: Any, *, bare: bool = False) -> str:
    """A value as SQL. A list is an array, or inside `IN (…)` its members."""
    if isinstance(value, list):
        members = ", ".join(_literal(name, member) for member in value)
        return (members or "NULL") if bare else f"[{members}]"
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return f"({value!r})" if value < 0 else repr(value)
    if isinstance(value, str) and "\0" not in value:
        return "'" + value.replace("'", "''") + "'"
    raise BadRequestError(f"The value of {{{name}}} must be a text, a number, true, false, null or a list of these.")


# ── Tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _resolve(tree: exp.Query, known: Callable[[str], bool]) -> dict[str, View]:
    """The tables read, common table expressions left out. Replaces `numbers(…)` and `AT (…)`. Refuses all else."""
    views = {}
    taken = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        at = _take_at(table)
        if not isinstance(table.this, exp.Identifier):
            _replace_numbers(table)
            name = "numbers"
        else:
            name = ".".join(part.name for part in table.parts)
            if not _is_cte(table, name):
                if not known(name):
                    raise BadRequestError(f"Unknown table `{name}`.")
                view = name if at is None else _free_name(f"{name} AT ({at})", taken, known)
                views[view] = View(name, at)
                _read_from(table, name, view)
                continue
        if at is not None:
            raise BadRequestError(f"`{name}` has no versions: only a table can be read as it was.")
    return views


def _free_name(name: str, taken: set[str], known: Callable[[str], bool]) -> str:
    """A name that means nothing else in the query."""
    while name.lower() in taken or known(name):
        name += "'"
    return name


def _read_from(table: exp.Table, name: str, view: str) -> None:
    """Let a table be read from a view; columns are still said to be of the table. Names with dots become one part."""
    if view != name:
        alias = table.args.get("alias") or exp.TableAlias()
        if not alias.this:
            alias.set("this", exp.to_identifier(name, quoted=True))
        table.set("alias", alias)
    if view != name or len(table.parts) > 1:
        for part in ("catalog", "db"):
            table.set(part, None)
        table.set("this", exp.to_identifier(view, quoted=True))


def _take_at(table: exp.Table) -> int | datetime | None:
    """The version or the moment at which a table is wanted; taken off it. A moment without a zone is in UTC."""
    clause = table.args.get("when") or table.args.get("version")
    if clause is None:
        return None
    table.set("when", None)
    table.set("version", None)
    is_at = isinstance(clause, exp.HistoricalData) and clause.this == "AT"
    is_as_of = isinstance(clause, exp.Version) and clause.args["kind"] == "AS OF"
    unit = clause.args["kind"] if is_at else clause.this
    value = clause.expression
    if not (is_at or is_as_of) or unit not in ("VERSION", "TIMESTAMP"):
        raise BadRequestError("A table is read as it was by AT (VERSION => …) or AT (TIMESTAMP => …).")
    if unit == "VERSION":
        return _whole(value, "VERSION")
    if isinstance(value, exp.Cast):
        value = value.this
    try:
        moment = datetime.fromisoformat(value.name if isinstance(value, exp.Literal) and value.is_string else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequestError("TIMESTAMP must be a moment as a text, such as '2026-11-24 10:00:00Z'.") from None


def _is_cte(table: exp.Table, name: str) -> bool:
    """Whether a WITH around the table defines this name before the table is reached, or recursively around it."""
    around: exp.CTE | None = None
    node: exp.Expr | None = table
    while node is not None:
        if isinstance(node, exp.CTE):
            around = node
        elif isinstance(node, exp.Query):
            clause = node.args.get("with_")
            recursive = clause is not None and clause.args.get("recursive")
            for cte in node.ctes:
                if cte is around and not recursive:
                    break
                if cte.alias.lower() == name.lower():
                    return True
                if cte is around:
                    break
        node = node.parent
    return False


def _replace_numbers(table: exp.Table) -> None:
    """`numbers(n)`, `numbers(offset, n)` → a range with the one column `number`."""
    function = table.this
    name = (function.name if isinstance(function, exp.Anonymous) else function.sql_name()).lower()
    if name != "numbers" or table.args.get("db"):
        raise BadRequestError(f"The table function `{name}` is not available.")
    arguments = function.expressions
    if len(arguments) not in (1, 2):
        raise BadRequestError("`numbers` takes one or two arguments: numbers(n) or numbers(offset, n).")
    first = arguments[0] if len(arguments) == 2 else exp.Literal.number(0)
    last = exp.Add(this=first.copy(), expression=arguments[1]) if len(arguments) == 2 else arguments[0]
    table.set("this", exp.Anonymous(this="range", expressions=[first, last]))
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier("numbers"))
    if not alias.args.get("columns"):
        alias.set("columns", [exp.to_identifier("number")])
    table.set("alias", alias)


def _name_columns(tree: exp.Query) -> None:
    """An expression without a name is called as it was written, not as DuckDB would spell its translation."""
    query = tree
    while not isinstance(query, exp.Select):
        query = query.this if isinstance(query, exp.SetOperation | exp.Subquery) else exp.Select()
    for column in list(query.expressions):
        text = column.meta.get("text", "")
        spreads = any(not isinstance(star.parent, exp.Count) for star in column.find_all(exp.Star, exp.Columns))
        if text and not spreads and not isinstance(column, exp.Alias | exp.Aliases | exp.Column | exp.Literal):
            column.replace(exp.alias_(column.copy(), text, quoted=True))


# ── Limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _set_limit(tree: exp.Query, max_rows: int) -> tuple[int, int]:
    clause = tree.args.get("limit")
    if isinstance(clause, exp.Fetch):
        options = clause.args.get("limit_options")
        if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
            raise BadRequestError("FETCH takes a whole number of rows.")
        wanted = clause.args.get("count")
    else:
        wanted = clause.expression if clause is not None else None
        if clause is not None and clause.args.get("expressions"):
            raise BadRequestError("LIMIT … BY is not available.")
    limit = DEFAULT_ROWS if wanted is None else _whole(wanted, "LIMIT")
    skip = tree.args.get("offset")
    offset = _whole(skip.expression, "OFFSET") if skip is not None else 0
    limit = min(limit, max_rows)
    tree.set("limit", exp.Limit(expression=exp.Literal.number(limit + 1)))
    return limit, offset


def _whole(node: exp.Expression, word: str) -> int:
    if isinstance(node, exp.Literal) and not node.is_string and _WHOLE.fullmatch(node.name):
        return int(node.name)
    raise BadRequestError(f"{word} must be a whole number.")


# ── ClickHouse's names ──────────────────────────────────────────────────────────────────────────────────────────────


def _function(name: str, least: int, most: int | None = None) -> Callable[[Callable[..., exp.Expression]], None]:
    """Register a builder for a function name (any letter case) that takes `least` to `most` arguments."""
    most = least if most is None else most

    def register(build: Callable[..., exp.Expression]) -> None:
        def checked(arguments: list[exp.Expression]) -> exp.Expression:
            if not least <= len(arguments) <= most:
                raise BadRequestError(f"`{name}` does not take {len(arguments)} arguments.")
            return build(*arguments)

        _FUNCTIONS[name.upper()] = checked

    return register


_FUNCTIONS: dict[str, Callable[[list[exp.Expression]], exp.Expression]] = {}


def _try_cast(value: exp.Expression, kind: str) -> exp.Expression:
    return exp.TryCast(this=value, to=exp.DataType.build(kind, dialect="duckdb"))


def _cast(value: exp.Expression, kind: str) -> exp.Expression:
    return exp.Cast(this=value, to=exp.DataType.build(kind, dialect="duckdb"))


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _moment(value: exp.Expression) -> exp.Expression:
    """A quoted moment is a text to DuckDB, which several functions refuse as ambiguous."""
    return _cast(value, "timestamp") if isinstance(value, exp.Literal) and value.is_string else value


@_function("toDate", 1)
def _to_date(value: exp.Expression) -> exp.Expression:
    return _try_cast(value, "date")


@_function("toString", 1)
def _to_string(value: exp.Expression) -> exp.Expression:
    return _cast(value, "text")


@_function("toInt", 1)
def _to_int(value: exp.Expression) -> exp.Expression:
    return _try_cast(_call("trunc", _try_cast(value, "decimal(38, 10)")), "bigint")


@_function("toFloat", 1)
def _to_float(value: exp.Expression) -> exp.Expression:
    return _try_cast(value, "double")


@_function("toStartOfDay", 1)
def _start_of_day(value: exp.Expression) -> exp.Expression:
    return _call("date_trunc", exp.Literal.string("day"), _moment(value))


@_function("toStartOfMonth", 1)
def _start_of_month(value: exp.Expression) -> exp.Expression:
    return _cast(_call("date_trunc", exp.Literal.string("month"), _moment(value)), "date")


@_function("toStartOfWeek", 1, 2)
def _start_of_week(value: exp.Expression, mode: exp.Expression | None = None) -> exp.Expression:
    week = exp.Literal.string("week")
    if mode is not None and _whole(mode, "The mode of `toStartOfWeek`") % 2:
        return _cast(_call("date_trunc", week, _moment(value)), "date")
    next_day = exp.Add(this=_cast(value, "date"), expression=exp.Literal.number(1))
    return exp.Paren(
        this=exp.Sub(this=_cast(_call("date_trunc", week, next_day), "date"), expression=exp.Literal.number(1))
    )


@_function("dateDiff", 3)
def _date_diff(unit: exp.Expression, start: exp.Expression, end: exp.Expression) -> exp.Expression:
    return _call("date_diff", unit, _moment(start), _moment(end))


@_function("countIf", 1)
def _count_if(condition: exp.Expression) -> exp.Expression:
    return _call("count", exp.Case().when(condition, exp.Literal.number(1)))


@_function("sumIf", 2)
def _sum_if(value: exp.Expression, condition: exp.Expression) -> exp.Expression:
    return _call("sum", exp.Case().when(condition, value).else_(exp.Literal.number(0)))


@_function("uniq", 1, 32)
def _uniq(*values: exp.Expression) -> exp.Expression:
    counted = values[0] if len(values) == 1 else exp.Tuple(expressions=list(values))
    return _call("count", exp.Distinct(expressions=[counted]))


@_function("JSONExtractString", 1, 32)
def _json_extract_string(document: exp.Expression, *keys: exp.Expression) -> exp.Expression:
    path = exp.Literal.string("".join(_pointer(key) for key in keys))
    kind = exp.EQ(this=_call("json_type", document.copy(), path), expression=exp.Literal.string("VARCHAR"))
    text = _call("json_extract_string", document.copy(), path.copy())
    empty = exp.Literal.string("")
    # Two levels, because DuckDB may look at both sides of an AND, and the second fails for broken JSON.
    found = exp.Case().when(kind, text).else_(empty)
    present = exp.Is(this=document.copy(), expression=exp.Null()).not_()
    return exp.Paren(this=exp.Case().when(_call("json_valid", document), found).when(present, empty.copy()))


def _pointer(key: exp.Expression) -> str:
    """One step of an RFC 6901 pointer."""
    if isinstance(key, exp.Literal) and key.is_string:
        return "/" + key.name.replace("~", "~0").replace("/", "~1")
    index = _whole(key, "An index of `JSONExtractString`")
    if not index:
        raise BadRequestError("An index of `JSONExtractString` starts at 1.")
    return f"/{index - 1}"


class Hedgerow(DuckDB):
    """DuckDB's SQL with back-quoted names and ClickHouse's functions; function names are kept as written."""

    NORMALIZE_FUNCTIONS = False

    class Tokenizer(DuckDB.Tokenizer):
        IDENTIFIERS = ['"', "`"]

    class Parser(DuckDBParser):
        FUNCTIONS = {**DuckDBParser.FUNCTIONS, **_FUNCTIONS}

        def _parse_expression(self) -> exp.Expr | None:
            first = self._curr
            expression = super()._parse_expression()
            if expression is not None and first.end < self._prev.end <= first.start + _LONGEST_NAME:
                expression.meta["text"] = self._find_sql(first, self._prev)
            return expression
