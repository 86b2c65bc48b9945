"""Which queries read a table: the columns' expressions, the cursor's condition, and ranges of pages to share out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hedgerow.connectors.contract import ReadRequest
from hedgerow.connectors.kits.sql.pg_catalog import PgColumn, Relation, literal, quote
from hedgerow.core.errors import BadDataError, MissingError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

CHUNK_BYTES: Final = 32 * 2**20
"""Table bytes, with their out-of-line parts, that one query reads."""
BATCH_SHARE: Final = 32
"""A batch takes at most this part of the reader's memory: some are being filled, some wait, some are being written."""
BATCH_ROWS: Final = (2_048, 65_536)
USUAL_ROW_BYTES: Final = 1_024
TID_RANGE_SCANS: Final = 140_000
"""Server version from which reading a range of pages does not look at the others."""
_TIMES: Final = ("date", "timestamp", "instant")

# Pages of the largest heap, bytes of all, rows as estimated, and whether every part is an ordinary heap.
_SIZE: Final = """
    select coalesce(max(pg_relation_size(c.oid)), 0) / current_setting('block_size')::int,
           coalesce(sum(pg_table_size(c.oid)), 0)::int8, coalesce(sum(greatest(c.reltuples, 0)), 0)::float8,
           coalesce(bool_and(c.relkind in ('r', 'm') and a.amname = 'heap' and not c.relhassubclass), false)
    from pg_catalog.pg_class c left join pg_catalog.pg_am a on a.oid = c.relam
    where c.oid = %(oid)s and c.relkind <> 'p'
       or c.oid in (select relid from pg_catalog.pg_partition_tree(%(oid)s) where isleaf)
"""


@dataclass(frozen=True)
class ReadPlan:
    """The queries that together read what was asked for, each row once. Their columns are named c0, c1, …"""

    columns: tuple[PgColumn, ...]
    queries: tuple[str, ...]
    batch_rows: int
    cursor: PgColumn | None
    is_ordered: bool
    """The single query's rows ascend by the cursor."""


def make(connection: "Connection", relation: Relation, request: ReadRequest, encoding: str) -> ReadPlan:
    """Plan a read, in the snapshot of `connection`, which also holds the table's shape until its transaction ends.

    Raises MissingError or BadDataError for an unusable cursor column, and psycopg.Error when the server refuses the
    query: no right to read, a value that is not of the cursor's type.
    """
    cursor = _cursor_column(relation, request)
    after = request.cursor.after if request.cursor else None
    is_ordered = cursor is not None and (after is not None or cursor.plan.stored == "string")
    select = _select(relation, encoding)
    condition = _newer(cursor, after) if cursor and after is not None else "true"
    order = f" order by {quote(cursor.name)} nulls first" if cursor and is_ordered else ""
    connection.execute(f"{select} where {condition}{order} limit 0".encode())
    pages, table_bytes, rows, is_heap = _size(connection, relation)
    width = table_bytes / rows if rows else USUAL_ROW_BYTES
    ranges = ["true"]
    if is_heap and not is_ordered and connection.info.server_version >= TID_RANGE_SCANS:
        ranges = _ranges(pages, table_bytes)
    queries = tuple(f"{select} where {condition} and {part}{order}" for part in ranges if relation.columns)
    return ReadPlan(relation.columns, queries, _batch_rows(width, request.memory_mib), cursor, is_ordered)


def _cursor_column(relation: Relation, request: ReadRequest) -> PgColumn | None:
    if request.cursor is None:
        return None
    name = request.cursor.field
    column = relation.column(name)
    if column is None:
        raise MissingError(f'column "{name}" of relation "{relation.name}" does not exist')
    if column.plan.stored in ("bool", "binary"):
        raise BadDataError(
            f'Column "{name}" of type {column.declared} cannot tell which rows are new.',
            hint="Choose another incremental field.",
        )
    return column


def _select(relation: Relation, encoding: str) -> str:
    shown = [f"{_expression(column, encoding)} as c{place}" for place, column in enumerate(relation.columns)]
    return f"select {', '.join(shown)} from {relation.quoted}"  # noqa: S608 - quoted identifiers


def _expression(column: PgColumn, encoding: str) -> str:
    made = column.plan.expression.format(quote(column.name))
    # A database that does not know its encoding may hold bytes that are no text: they are decoded on this side.
    return f"convert_to({made}, 'SQL_ASCII')" if encoding == "SQL_ASCII" and column.plan.is_text else made


def _newer(cursor: PgColumn, after: str) -> str:
    """Compared in the column's own type, so that its index serves. Infinite times would be newest for ever."""
    name = quote(cursor.name)
    finite = f" and isfinite({name})" if cursor.plan.stored in _TIMES else ""
    return f"{name} > {literal(after)}{finite}"


def _size(connection: "Connection", relation: Relation) -> tuple[int, int, float, bool]:
    row = connection.execute(_SIZE, {"oid": relation.oid}).fetchone()
    if row is None:  # an aggregate always answers
        return 0, 0, 0.0, False
    pages, table_bytes, rows, is_heap = row
    return pages, table_bytes, rows, is_heap


def _ranges(pages: int, table_bytes: int) -> list[str]:
    """Conditions that share out all row positions. The last is open: parts of a table differ in length."""
    step = max(1, int(CHUNK_BYTES * pages / table_bytes)) if table_bytes else 1
    starts = range(0, max(pages, 1), step)
    closed = [f"ctid >= '({start},0)' and ctid < '({start + step},0)'" for start in starts[:-1]]
    return [*closed, f"ctid >= '({starts[-1]},0)'"]


def _batch_rows(width: float, memory_mib: int) -> int:
    least, most = BATCH_ROWS
    return min(most, max(least, int(memory_mib * 2**20 / BATCH_SHARE / max(width, 1))))
