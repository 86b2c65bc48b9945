"""Demo: a made-up shop, to try everything without a database or a credential.

The same moment always shows the same data, and as the clock goes on rows appear (a new order every 20 minutes) and
change (an order is paid, shipped, delivered), so incremental syncs have something to bring. `updated_at` is the time
of the last change, never later than the moment of reading.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from hedgerow.connectors.catalog.demo import calendar
from hedgerow.connectors.catalog.demo.calendar import Moment
from hedgerow.connectors.contract import (
    Column,
    ColumnType,
    CursorType,
    Reach,
    Reading,
    ReadRequest,
    Settings,
    SourceTable,
)
from hedgerow.connectors.spec import Spec
from hedgerow.core.errors import MissingError

SPEC: Final = Spec(
    name="Demo",
    label="Demo shop",
    caption="A made-up shop whose data grows and changes by the minute. Needs no credentials.",
    category="E-commerce",
    suggested_tables=(("customers", None), ("orders", "Changes as orders are paid and shipped")),
    targets=(),
)
_WORDS: Final[dict[str, ColumnType]] = {
    "bigint": "integer",
    "integer": "integer",
    "double precision": "float",
    "boolean": "boolean",
    "date": "date",
    "timestamp with time zone": "datetime",
    "timestamp": "datetime",
    "text": "string",
    "json": "string",
    "numeric(12,2)": "decimal",
}


def _columns(declared: str) -> tuple[Column, ...]:
    """One column a line: name and type, then `?` where it may be null, `!` where it tells which rows are new.

    An id is no cursor: rows change, and payments come in another order.
    """
    columns = []
    for line in declared.strip().splitlines():
        name, _, word = line.strip().partition(" ")
        plain = word.rstrip("?!")
        cursor: CursorType | None = "timestamp" if word.endswith("!") else None
        columns.append(Column(name, plain, _WORDS[plain], word.endswith("?"), cursor))
    return tuple(columns)


@dataclass(frozen=True)
class _Table:
    """`count` says how many row numbers there are by now; `known_rows`: each is a row."""

    description: str
    columns: tuple[Column, ...]
    count: Callable[[Moment], int]
    known_rows: bool = True


class DemoConnector:
    """See `contract.Connector`. There are no settings to look at, hence the unused arguments."""

    spec = SPEC

    def check(self, settings: Settings, reach: Reach) -> None:
        """There is nothing that could fail."""

    def tables(self, settings: Settings, reach: Reach, *, count_rows: bool = False) -> list[SourceTable]:  # noqa: ARG002
        """The shop's tables."""
        moment = calendar.now()
        return [
            SourceTable(
                name, t.columns, ("id",), t.description, t.count(moment) if count_rows and t.known_rows else None
            )
            for name, t in sorted(_TABLES.items())
        ]

    def check_key(self, settings: Settings, reach: Reach, table: str, key: tuple[str, ...]) -> bool:  # noqa: ARG002
        """Only the id is unique."""
        return "id" in key and set(key) <= {column.name for column in _table(table).columns}

    @contextmanager
    def read(self, settings: Settings, reach: Reach, request: ReadRequest) -> Iterator[Reading]:  # noqa: ARG002
        """The table as it is at this moment."""
        table, moment = _table(request.table), calendar.now()
        if request.cursor and request.cursor.field not in {column.name for column in table.columns}:
            raise MissingError(f'column "{request.cursor.field}" does not exist')
        from hedgerow.connectors.catalog.demo import shop

        yield shop.open_table(request.table, table.columns, table.count(moment), moment, request.cursor)


CONNECTOR = DemoConnector()


def _table(name: str) -> _Table:
    if name not in _TABLES:
        raise MissingError(f'table "{name}" does not exist')
    return _TABLES[name]


_TABLES: Final = {
    "customers": _Table(
        "People who signed up",
        _columns("""
            id bigint
            name text
            email text
            country text
            city text
            birthday date?
            newsletter boolean
            preferences json
            created_at timestamp with time zone
            updated_at timestamp with time zone!
        """),
        lambda moment: moment.begun(calendar.CUSTOMER_SECONDS),
    ),
    "events": _Table(
        "Visits of the web shop",
        _columns("""
            id bigint
            customer_id bigint?
            kind text
            path text?
            properties json
            happened_at timestamp with time zone!
            local_time timestamp
        """),
        lambda moment: moment.passed(calendar.EVENT_SECONDS),
    ),
    "order_items": _Table(
        "Lines of the orders",
        _columns("""
            id bigint
            order_id bigint
            product_id bigint
            quantity integer
            unit_price numeric(12,2)
            created_at timestamp with time zone!
        """),
        lambda moment: moment.passed(calendar.ORDER_SECONDS) * 4,
        known_rows=False,
    ),
    "orders": _Table(
        "Orders and how far they got",
        _columns("""
            id bigint
            customer_id bigint
            status text
            total numeric(12,2)
            currency text
            discount_rate double precision?
            is_gift boolean
            note text?
            created_at timestamp with time zone
            updated_at timestamp with time zone!
        """),
        lambda moment: moment.passed(calendar.ORDER_SECONDS),
    ),
    "payments": _Table(
        "Payments received",
        _columns("""
            id bigint
            order_id bigint
            method text
            amount numeric(12,2)
            details json
            paid_at timestamp with time zone!
        """),
        lambda moment: moment.passed(calendar.ORDER_SECONDS),
        known_rows=False,
    ),
    "products": _Table(
        "What is on sale",
        _columns("""
            id bigint
            sku text
            name text
            category text
            price numeric(12,2)
            weight_kg double precision?
            active boolean
            created_at timestamp with time zone
            updated_at timestamp with time zone!
        """),
        lambda moment: min(calendar.PRODUCTS, moment.begun(calendar.MINUTE)),
    ),
}
