"""The second judge of a query: DuckDB's own parser. What it does not know to be harmless does not run.

The dialect has already refused what is not a SELECT over known tables; here the text that will run is read by the
parser that will run it, and every table, table function and function in it must be on a list. So neither a difference
between the two parsers nor a function that a newer DuckDB brings opens a way out.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from hedgerow.core.errors import BadRequestError
from hedgerow.lake.dialect import TOO_DEEP
from hedgerow.lake.functions import ALLOWED, CHANGING, words

if TYPE_CHECKING:
    import duckdb

_REFERENCES: Final = words("BASE_TABLE SUBQUERY JOIN TABLE_FUNCTION EMPTY EXPRESSION_LIST")
_EXPRESSIONS: Final = words(
    "BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA LAMBDA_REF OPERATOR "
    "POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW"
)
_TABLE_FUNCTIONS: Final = words("range unnest")


def check(connection: "duckdb.DuckDBPyConnection", sql: str, tables: frozenset[str]) -> bool:
    """Raises BadRequestError unless `sql` is one SELECT over `tables` with listed functions only.

    True when the same data always give the same answer: no clock, no chance.
    """
    row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if tree["error"] or len(tree["statements"]) != 1:
        raise BadRequestError(_refusal(tree))
    nodes = list(_nodes(tree["statements"][0]))
    common = {entry["key"] for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    stable = True
    for node in nodes:
        if "class" in node:
            stable &= _check_expression(node)
        elif "alias" in node and "query_location" in node:
            stable &= _check_reference(node, tables | common)
    return stable


def _refusal(tree: dict[str, Any]) -> str:
    text = str(tree.get("error_message", "")).splitlines()
    if tree.get("error_type") != "parser" or not text:
        return "Only SELECT statements are allowed."
    return TOO_DEEP if "Max expression depth" in text[0] else f"Syntax error: {text[0]}"


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            yield node
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)


def _check_expression(node: dict[str, Any]) -> bool:
    if node["class"] not in _EXPRESSIONS:
        raise BadRequestError(f"This kind of expression is not available: {str(node['class']).lower()}.")
    if node["class"] == "COLUMN_REF":
        return str(node["column_names"][-1]).lower() not in CHANGING
    if "function_name" not in node:
        return True
    name = str(node["function_name"])
    is_operator = not any(c.isalpha() for c in name) or name == "!__postfix"
    if node["schema"] not in ("", "main") or node["catalog"] or not (is_operator or name.lower() in ALLOWED):
        raise BadRequestError(f"Unsupported function call '{name}(...)'.")
    return name.lower() not in CHANGING


def _check_reference(node: dict[str, Any], tables: frozenset[str]) -> bool:
    kind = node["type"]
    if kind not in _REFERENCES:
        raise BadRequestError("Only tables, subqueries and numbers() can be read from.")
    if kind == "TABLE_FUNCTION" and node["function"].get("function_name") not in _TABLE_FUNCTIONS:
        raise BadRequestError(f"The table function `{node['function'].get('function_name')}` is not available.")
    if kind == "BASE_TABLE":
        plain = not (node["schema_name"] or node["catalog_name"] or node["at_clause"])
        if not plain or node["table_name"] not in tables:
            raise BadRequestError(f"Unknown table `{node['table_name']}`.")
    return not node.get("sample")
