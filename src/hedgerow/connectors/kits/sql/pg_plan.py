"""Which queries read a table: the columns' expressions, the cursor's condition, and ranges of pages to share out.

Few rows, and very wide ones, are read by rows (`pg_rows`); all others by the fast reader (`pg_session`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from hedgerow.connectors.contract import ReadRequest
from hedgerow.connectors.kits.sql.pg_catalog import PgColumn, Relation, literal, quote
from hedgerow.connectors.kits.sql.pg_late import Late
from hedgerow.connectors.kits.sql.pg_types import as_text
from hedgerow.core.errors import BadDataError, MissingError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

CHUNK_BYTES: Final = 32 * 2**20
"""Table bytes, with their out-of-line parts, that one query reads."""
BATCH_SHARE: Final = 32
"""A batch takes at most this part of the reader's memory: some are being filled, some wait, some are being written."""
VECTOR_ROWS: Final = 2_048
"""The fast reader holds at least so many rows at once, however wide they are."""
MOST_BATCH_ROWS: Final = 65_536
FEW_ROWS: Final = 10_000
"""By the server's estimate. Up to here the reader by rows is done before the fast one has started."""
MANY_ROWS: Final = 500_000
"""Looking at so many rows takes the server longer than the fast reader needs to start."""
SAMPLE_ROWS: Final = 20
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
    """The queries that together read what was asked for, each row once. Their columns are named c0, c1, …

    With a cursor and a single query the rows ascend by the cursor, nulls first. Behind `columns` comes one more if
    `has_ids`, what `pg_late` wants to know of each row; and another when there are any `checked`: null, but for rows
    that hold a value which `Plan.lossy` tells of a JSON array of the source's text of each of these columns that does.
    """

    columns: tuple[PgColumn, ...]
    checked: tuple[PgColumn, ...]
    queries: tuple[str, ...]
    batch_rows: int
    by_rows: bool
    cursor: PgColumn | None
    has_ids: bool


def make(
    connection: "Connection", relation: Relation, request: ReadRequest, encoding: str, late: Late | None
) -> ReadPlan:
    """Plan a read, in the snapshot of `connection`, which also holds the table's shape until its transaction ends.

    `late`: None where rows committed late cannot be told from others, or no cursor is asked for.

    Raises MissingError or BadDataError for an unusable cursor column, and psycopg.Error when the server refuses the
    query: no right to read, a value that is not of the cursor's type.
    """
    keeps_text = request.bad_values == "keep_text"
    if keeps_text:
        relation = replace(relation, columns=tuple(replace(c, plan=as_text(c.plan)) for c in relation.columns))
    checked = tuple(c for c in relation.columns if c.plan.lossy and (keeps_text or c.plan.is_hidden))
    cursor = cursor_column(relation, request)
    after = request.cursor.after if request.cursor else None
    condition = _newer(cursor, after, late) if cursor and after is not None else "true"
    found = _explained(connection, f"{_select(relation, encoding)} where {condition}")
    size = _size(connection, relation)
    width = max(size.row_bytes, _sampled_width(connection, relation) if size.is_heap else 0)
    memory = request.memory_mib * 2**20
    are_few = found["Plan Rows"] <= FEW_ROWS
    if are_few and after is not None and relation.kind in ("r", "p"):
        are_few = _are_few(connection, f"from {relation.quoted} where {condition}", found, size)
    by_rows = are_few or width * VECTOR_ROWS > memory / 2
    ids = late.ids if late else None
    select = _select(relation, encoding, checked, by_rows=by_rows, ids=ids)
    ranges = ["true"]
    order = ""
    if cursor and (after is not None or cursor.plan.stored == "string"):
        order = f" order by {quote(cursor.name)} nulls first"
    elif size.is_heap and not by_rows and connection.info.server_version >= TID_RANGE_SCANS:
        ranges = _ranges(size)
    queries = tuple(f"{select} where {condition} and {part}{order}" for part in ranges if relation.columns)
    batch_rows = max(1, min(MOST_BATCH_ROWS, int(memory / BATCH_SHARE / max(width, 1))))
    return ReadPlan(relation.columns, checked, queries, batch_rows, by_rows, cursor, has_ids=ids is not None)


def cursor_column(relation: Relation, request: ReadRequest) -> PgColumn | None:
    """The column that tells what is new, if one is asked for. Raises MissingError or BadDataError when it cannot."""
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


def _select(
    relation: Relation,
    encoding: str,
    checked: Sequence[PgColumn] = (),
    *,
    by_rows: bool = False,
    ids: str | None = None,
) -> str:
    shown = [f"{_expression(column, encoding, by_rows)} as c{place}" for place, column in enumerate(relation.columns)]
    shown += [f"{ids} as id"] if ids else []
    shown += [f"{_as_bytes(_lost(checked), encoding)} as lost"] if checked else []
    return f"select {', '.join(shown)} from {relation.quoted}"  # noqa: S608 - quoted identifiers


def _expression(column: PgColumn, encoding: str, by_rows: bool) -> str:
    template = column.plan.row_expression if by_rows else column.plan.expression
    made = template.format(quote(column.name))
    return _as_bytes(made, encoding) if column.plan.is_text else made


def _as_bytes(text: str, encoding: str) -> str:
    """A database that does not know its encoding may hold bytes that are no text: they are decoded on this side."""
    return f"convert_to({text}, 'SQL_ASCII')" if encoding == "SQL_ASCII" else text


def _lost(checked: Sequence[PgColumn]) -> str:
    """One column for all: a server takes no more than 1,664."""
    lossy = [(column.plan.lossy or "").format(quote(column.name)) for column in checked]
    texts = [
        f"case when {each} then {quote(column.name)}::text end" for each, column in zip(lossy, checked, strict=True)
    ]
    return f"case when {' or '.join(lossy)} then to_json(array[{', '.join(texts)}])::text end"


def _newer(cursor: PgColumn, after: str, late: Late | None) -> str:
    """Compared in the column's own type, so that its index serves. Infinite times would be newest for ever."""
    name = quote(cursor.name)
    finite = f" and isfinite({name})" if cursor.plan.stored in _TIMES else ""
    return f"{late.condition() if late else f'{name} > {literal(after)}'}{finite}"


def _explained(connection: "Connection", query: str) -> dict[str, Any]:
    """How the server goes about a query. Also its word on whether it may be run at all."""
    row = connection.execute(f"explain (format json) {query}".encode()).fetchone()
    plan: dict[str, Any] = row[0][0]["Plan"] if row else {"Plan Rows": 0}
    return plan


def _are_few(connection: "Connection", newer: str, found: dict[str, Any], size: "_Size") -> bool:
    """Whether few rows are newer, which the server expects: of the newest rows its statistics know nothing.

    Where an index leads to them they are counted. Where all rows are looked at, that takes longer than the fast
    reader needs to start.
    """
    if _looks_at_all(found):
        return size.rows <= MANY_ROWS
    counted = f"select count(*) from (select {newer} limit {FEW_ROWS + 1}) s"  # noqa: S608 - quoted identifiers
    row = connection.execute(counted.encode()).fetchone()
    return row is None or row[0] <= FEW_ROWS


def _looks_at_all(plan: dict[str, Any]) -> bool:
    return plan.get("Node Type") == "Seq Scan" or any(_looks_at_all(each) for each in plan.get("Plans", ()))


@dataclass(frozen=True)
class _Size:
    """`pages` of the largest part, bytes and rows (by statistics) of all, and whether each is an ordinary heap."""

    pages: int
    table_bytes: int
    rows: float
    is_heap: bool

    @property
    def row_bytes(self) -> float:
        """Of an average row."""
        return self.table_bytes / self.rows if self.rows else USUAL_ROW_BYTES


def _size(connection: "Connection", relation: Relation) -> _Size:
    return _Size(*(connection.execute(_SIZE, {"oid": relation.oid}).fetchone() or (0, 0, 0.0, False)))


def _sampled_width(connection: "Connection", relation: Relation) -> float:
    """Average size of the first rows as text: what is stored may be compressed."""
    sample = f"from {relation.quoted} s limit {SAMPLE_ROWS}"
    statement = f"select avg(size)::float8 from (select octet_length((s.*)::text) as size {sample}) t"  # noqa: S608 - quoted
    row = connection.execute(statement.encode()).fetchone()
    return float(row[0] or 0) if row else 0.0


def _ranges(size: _Size) -> list[str]:
    """Conditions that share out all row positions. The last is open: parts of a table differ in length."""
    step = max(1, int(CHUNK_BYTES * size.pages / size.table_bytes)) if size.table_bytes else 1
    starts = range(0, max(size.pages, 1), step)
    closed = [f"ctid >= '({start},0)' and ctid < '({start + step},0)'" for start in starts[:-1]]
    return [*closed, f"ctid >= '({starts[-1]},0)'"]
