"""The shop's data: every value is a function of its row's number and the moment."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow.connectors.catalog.demo.calendar import (
    CUSTOMER_SECONDS,
    DAY,
    EVENT_SECONDS,
    MINUTE,
    OPENED,
    ORDER_SECONDS,
    PRODUCTS,
    Moment,
)
from hedgerow.connectors.contract import Column, Cursor, Reading

BATCH_ROWS: Final = 16_384
PAID_SECONDS: Final = (5 * MINUTE, 60 * MINUTE)
_FIRST: Final = (
    "Ada",
    "Björn",
    "Chloé",
    "Dina",
    "Emeka",
    "Fatma",
    "Günther",
    "Haruki",
    "Inés",
    "João",
    "Łukasz",
    "美咲",
)
_LAST: Final = (
    "Abel",
    "Brown",
    "Castro",
    "Dvořák",
    "Eriksen",
    "Fischer",
    "García",
    "Hoang",
    "Ivanova",
    "Ó Briain",
    "王",
)
_PLACES: Final = (("DE", "Köln"), ("FR", "Lyon"), ("JP", "大阪"), ("BR", "São Paulo"), ("US", "Austin"), ("PL", "Łódź"))
_GOODS: Final = ("Kettle", "Lamp", "Blanket", "Teapot", "Bench", "Basket", "Clock", "Mirror", "Rug ☀", "Vase")
_KINDS: Final = ("Kitchen", "Living", "Garden")
_METHODS: Final = ("card", "invoice", "wallet")
_EVENTS: Final = ("page_view", "page_view", "page_view", "search", "add_to_cart", "checkout")
_TYPES: Final = {
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
    "timestamp": pa.timestamp("us"),
    "text": pa.string(),
    "json": pa.string(),
    "numeric(12,2)": pa.decimal128(12, 2),
}

Make = Callable[[pa.Array, Moment], dict[str, pa.Array]]
"""Row numbers (int64, from 0) into columns. A row whose id is null does not exist."""


def open_table(table: str, columns: Sequence[Column], count: int, moment: Moment, cursor: Cursor | None) -> Reading:
    """All rows out of `count` numbers; with a cursor's value those beyond it, in its order."""
    reading = Reading(pa.schema([(column.name, _TYPES[column.declared]) for column in columns]), iter(()))
    reading.batches = _batches(_MAKERS[table], count, moment, cursor, reading)
    return reading


def _batches(
    make: Make, count: int, moment: Moment, cursor: Cursor | None, reading: Reading
) -> Iterator[pa.RecordBatch]:
    def made() -> Iterator[pa.RecordBatch]:
        for start in range(0, count, BATCH_ROWS):
            columns = make(pa.arange(start, min(start + BATCH_ROWS, count)), moment)
            rows = pa.table(columns).select(reading.schema.names).cast(reading.schema).combine_chunks()
            yield from rows.filter(pc.is_valid(rows["id"])).combine_chunks().to_batches()

    if cursor is None:
        yield from made()
        return
    place = reading.schema.get_field_index(cursor.field)
    wanted = made()
    if cursor.after is not None:
        after = _value(cursor.after, reading.schema.field(place).type)
        newer = [batch.filter(pc.greater(batch.column(place), after)) for batch in made()]
        wanted = iter(pa.Table.from_batches(newer, reading.schema).sort_by(cursor.field).combine_chunks().to_batches())
    best = None
    for batch in wanted:
        found = pc.max(batch.column(place)).as_py()
        best = found if best is None else max(best, found)
        reading.cursor_to = best.isoformat(" ") if isinstance(best, datetime) else str(best)
        yield batch


def _value(text: str, arrow_type: pa.DataType) -> pa.Scalar:

    is_time = pa.types.is_timestamp(arrow_type)
    return pa.scalar(datetime.fromisoformat(text) if is_time else int(text), arrow_type)


# ---- values out of row numbers ---------------------------------------------------------------------------------------


def _noise(numbers: pa.Array, salt: int) -> pa.Array:
    """A well-mixed non-negative int64 for each number: the same for the same salt, always."""
    mixed = pc.add(numbers.cast(pa.uint64()), pa.scalar(salt * 0x632BE59BD9B4E019 % 2**64, pa.uint64()))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = pc.bit_wise_xor(mixed, pc.shift_right(mixed, pa.scalar(shift, pa.uint64())))
        mixed = pc.multiply(mixed, pa.scalar(factor, pa.uint64()))
    return pc.shift_right(mixed, pa.scalar(24, pa.uint64())).cast(pa.int64())


def _mod(numbers: pa.Array, by: int) -> pa.Array:
    return pc.subtract(numbers, pc.multiply(pc.divide(numbers, by), by))


def _between(numbers: pa.Array, salt: int, least: int, most: int) -> pa.Array:
    """A number from `least` up to but without `most`."""
    return pc.add(_mod(_noise(numbers, salt), most - least), least)


def _pick(numbers: pa.Array, salt: int, words: tuple[str, ...]) -> pa.Array:
    return pa.array(words).take(_between(numbers, salt, 0, len(words)))


def _sometimes(numbers: pa.Array, salt: int, one_in: int) -> pa.Array:
    """True for about one in so many numbers."""
    return pc.equal(_between(numbers, salt, 0, one_in), 0)


def _unless(missing: pa.Array, values: pa.Array) -> pa.Array:
    return pc.if_else(missing, pa.scalar(None, values.type), values)


def _join(*parts: Any) -> pa.Array:
    texts = [part if isinstance(part, str) else part.cast(pa.string()) for part in parts]
    return pc.binary_join_element_wise(*texts, "", null_handling="replace", null_replacement="null")


def _instant(seconds: pa.Array) -> pa.Array:
    """Seconds since the shop opened, as a time."""
    return pc.multiply(pc.add(seconds, int(OPENED.timestamp())), 1_000_000).view(pa.timestamp("us", "UTC"))


def _money(cents: pa.Array) -> pa.Array:
    return pc.multiply(cents.cast(pa.decimal128(19, 0)), pa.scalar(Decimal("0.01"))).cast(pa.decimal128(12, 2))


def _last_change(begun: pa.Array, every: pa.Array, moment: Moment) -> tuple[pa.Array, pa.Array]:
    """How often something that changes every so many seconds has changed by now, and when it did last."""
    times = pc.divide(pc.subtract(moment.seconds, begun), every)
    return times, pc.add(begun, pc.multiply(times, every))


# ---- the tables ------------------------------------------------------------------------------------------------------


def _customers(numbers: pa.Array, moment: Moment) -> dict[str, pa.Array]:
    joined = pc.multiply(numbers, CUSTOMER_SECONDS)
    moves, updated = _last_change(joined, _between(numbers, 1, 20 * DAY, 200 * DAY), moment)
    home = _mod(pc.add(_between(numbers, 2, 0, len(_PLACES)), moves), len(_PLACES))
    first = _pick(numbers, 3, _FIRST)
    return {
        "id": pc.add(numbers, 1),
        "name": _join(first, " ", _pick(numbers, 4, _LAST)),
        "email": _join("customer", pc.add(numbers, 1), "@shop.example"),
        "country": pa.array([code for code, _ in _PLACES]).take(home),
        "city": pa.array([city for _, city in _PLACES]).take(home),
        "birthday": _unless(_sometimes(numbers, 5, 3), _between(numbers, 6, -14_000, 13_000).cast(pa.int32())).view(
            pa.date32()
        ),
        "newsletter": _sometimes(pc.add(numbers, moves), 7, 2),
        "preferences": _join('{"theme": "', _pick(numbers, 8, ("light", "dark")), '", "moves": ', moves, "}"),
        "created_at": _instant(joined),
        "updated_at": _instant(updated),
    }


def _list_cents(products: pa.Array) -> pa.Array:
    """The price of a product (numbered from 0) when it was new."""
    return _between(products, 20, 499, 19_999)


def _products(numbers: pa.Array, moment: Moment) -> dict[str, pa.Array]:
    begun = pc.multiply(numbers, MINUTE)
    rises, updated = _last_change(begun, _between(numbers, 21, 15 * DAY, 60 * DAY), moment)
    cents = _list_cents(numbers)
    raised = pc.add(cents, pc.divide(pc.multiply(pc.multiply(cents, _mod(rises, 12)), 3), 100))
    return {
        "id": pc.add(numbers, 1),
        "sku": _join("SKU-00", pc.add(numbers, 1)),
        "name": _join(_pick(numbers, 22, _GOODS), " № ", pc.add(numbers, 1)),
        "category": _pick(numbers, 23, _KINDS),
        "price": _money(raised),
        "weight_kg": _unless(
            _sometimes(numbers, 24, 6), pc.divide(_between(numbers, 25, 50, 9_000).cast(pa.float64()), 1000.0)
        ),
        "active": pc.invert(_sometimes(pc.add(numbers, rises), 26, 12)),
        "created_at": _instant(begun),
        "updated_at": _instant(updated),
    }


def _lines(orders: pa.Array) -> pa.Array:
    """How many items an order (numbered from 0) has: 1 to 4."""
    return pc.add(_mod(orders, 4), 1)


def _item(orders: pa.Array, line: Any) -> tuple[pa.Array, pa.Array]:
    """Product (numbered from 0) and quantity of an order's line."""
    item = pc.add(pc.multiply(orders, 4), line)
    return _between(item, 40, 0, PRODUCTS), _between(item, 41, 1, 4)


def _total_cents(orders: pa.Array) -> pa.Array:
    """The sum over an order's items."""
    total, lines = pc.multiply(orders, 0), _lines(orders)
    for line in range(4):
        product, quantity = _item(orders, line)
        amount = pc.multiply(_list_cents(product), quantity)
        total = pc.add(total, pc.if_else(pc.less(line, lines), amount, 0))
    return total


def _paid_at(orders: pa.Array) -> pa.Array:
    return pc.add(pc.multiply(pc.add(orders, 1), ORDER_SECONDS), _between(orders, 30, *PAID_SECONDS))


def _orders(numbers: pa.Array, moment: Moment) -> dict[str, pa.Array]:
    placed = pc.multiply(pc.add(numbers, 1), ORDER_SECONDS)
    paid = _paid_at(numbers)
    shipped = pc.add(paid, _between(numbers, 31, DAY // 2, 3 * DAY))
    delivered = pc.add(shipped, _between(numbers, 32, DAY, 6 * DAY))
    returned = pc.add(delivered, _between(numbers, 33, 3 * DAY, 25 * DAY))
    keeps = pc.invert(_sometimes(numbers, 34, 20))
    status, updated = pc.if_else(True, pa.scalar("new"), pa.nulls(len(numbers), pa.string())), placed
    steps = (
        ("paid", paid, None),
        ("shipped", shipped, None),
        ("delivered", delivered, None),
        ("returned", returned, keeps),
    )
    for word, when, unless in steps:
        reached = pc.less_equal(when, moment.seconds)
        reached = reached if unless is None else pc.and_(reached, pc.invert(unless))
        status, updated = pc.if_else(reached, word, status), pc.if_else(reached, when, updated)
    known = pc.add(pc.divide(placed, CUSTOMER_SECONDS), 1)
    customer = pc.subtract(_noise(numbers, 35), pc.multiply(pc.divide(_noise(numbers, 35), known), known))
    return {
        "id": pc.add(numbers, 1),
        "customer_id": pc.add(customer, 1),
        "status": status,
        "total": _money(_total_cents(numbers)),
        "currency": _pick(numbers, 36, ("EUR", "EUR", "USD", "JPY")),
        "discount_rate": _unless(
            _sometimes(numbers, 37, 3), pc.divide(_between(numbers, 38, 0, 30).cast(pa.float64()), 100.0)
        ),
        "is_gift": _sometimes(numbers, 39, 9),
        "note": _unless(
            pc.invert(_sometimes(numbers, 42, 5)), _join("Please ring ", _between(numbers, 43, 1, 4), "× 🔔")
        ),
        "created_at": _instant(placed),
        "updated_at": _instant(updated),
    }


def _order_items(numbers: pa.Array, moment: Moment) -> dict[str, pa.Array]:  # noqa: ARG001 - items never change
    orders, line = pc.divide(numbers, 4), _mod(numbers, 4)
    product, quantity = _item(orders, line)
    bought = pc.less(line, _lines(orders))
    return {
        "id": _unless(pc.invert(bought), pc.add(numbers, 1)),
        "order_id": pc.add(orders, 1),
        "product_id": pc.add(product, 1),
        "quantity": quantity.cast(pa.int32()),
        "unit_price": _money(_list_cents(product)),
        "created_at": _instant(pc.multiply(pc.add(orders, 1), ORDER_SECONDS)),
    }


def _payments(numbers: pa.Array, moment: Moment) -> dict[str, pa.Array]:
    paid = _paid_at(numbers)
    method = _pick(numbers, 50, _METHODS)
    return {
        "id": _unless(pc.greater(paid, moment.seconds), pc.add(numbers, 1)),
        "order_id": pc.add(numbers, 1),
        "method": method,
        "amount": _money(_total_cents(numbers)),
        "details": _join('{"method": "', method, '", "attempts": ', _between(numbers, 51, 1, 3), "}"),
        "paid_at": _instant(paid),
    }


def _events(numbers: pa.Array, moment: Moment) -> dict[str, pa.Array]:  # noqa: ARG001 - events never change
    happened = pc.multiply(pc.add(numbers, 1), EVENT_SECONDS)
    kind = _pick(numbers, 60, _EVENTS)
    zone = pc.multiply(_between(numbers, 61, -8, 10), 3600)
    return {
        "id": pc.add(numbers, 1),
        "customer_id": _unless(_sometimes(numbers, 62, 4), pc.add(pc.divide(happened, CUSTOMER_SECONDS), 1)),
        "kind": kind,
        "path": _unless(pc.equal(kind, "search"), _join("/products/", _between(numbers, 63, 1, PRODUCTS + 1))),
        "properties": _join('{"kind": "', kind, '", "ms": ', _between(numbers, 64, 3, 900), "}"),
        "happened_at": _instant(happened),
        "local_time": _instant(pc.add(happened, zone)).cast(pa.timestamp("us")),
    }


_MAKERS: Final[dict[str, Make]] = {
    "customers": _customers,
    "events": _events,
    "order_items": _order_items,
    "orders": _orders,
    "payments": _payments,
    "products": _products,
}
