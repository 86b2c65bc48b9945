from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hedgerow.connectors import registry
from hedgerow.connectors.contract import Cursor, Reach, ReadRequest
from hedgerow.core import clock
from hedgerow.core.errors import MissingError
from tests.kits.connector import ConnectorPromises, Subject

DEMO = registry.get("Demo")
START = datetime(2024, 6, 1, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def set_to(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    set_to(START)
    return set_to


def read(table: str, cursor: Cursor | None = None) -> pa.Table:
    with DEMO.read({}, Reach(), ReadRequest(table, cursor)) as reading:
        return pa.Table.from_batches(list(reading.batches), reading.schema)


class TestPromises(ConnectorPromises):
    @pytest.fixture
    def subject(self, set_clock: Callable[[datetime], None]) -> Subject:
        return Subject(DEMO, {}, "orders", "updated_at", lambda: set_clock(START + timedelta(hours=7)))


def test_sizes_are_those_of_a_small_shop_in_2026(set_clock: Callable[[datetime], None]) -> None:
    set_clock(datetime(2026, 11, 1, tzinfo=UTC))
    counted = {table.name: table.rows for table in DEMO.tables({}, Reach(), count_rows=True)}
    for name, rows in counted.items():
        held = read(name).num_rows
        assert rows in (None, held)
        assert name == "products" or 10_000 < held < 250_000


def test_the_same_moment_shows_the_same_data(set_clock: Callable[[datetime], None]) -> None:
    assert read("orders").equals(read("orders"))
    assert read("customers").equals(read("customers"))


def test_nothing_lies_in_the_future(set_clock: Callable[[datetime], None]) -> None:
    for table in DEMO.tables({}, Reach()):
        rows = read(table.name)
        for column in table.cursor_columns:
            assert pc.max(rows[column.name]).as_py() <= START


def test_orders_add_up_to_their_items_and_payments(set_clock: Callable[[datetime], None]) -> None:
    items = read("order_items").to_pylist()
    sums: dict[int, Decimal] = {}
    for item in items:
        sums[item["order_id"]] = sums.get(item["order_id"], Decimal(0)) + item["unit_price"] * item["quantity"]
    orders = {row["id"]: row for row in read("orders").to_pylist()}
    assert {key: row["total"] for key, row in orders.items()} == sums
    payments = read("payments").to_pylist()
    assert all(payment["amount"] == sums[payment["order_id"]] for payment in payments)
    assert {p["order_id"] for p in payments} == {key for key, row in orders.items() if row["status"] != "new"}


def test_references_lead_somewhere(set_clock: Callable[[datetime], None]) -> None:
    def ids(table: str, column: str = "id") -> set[Any]:
        return set(read(table)[column].drop_null().to_pylist())

    assert ids("orders", "customer_id") <= ids("customers")
    assert ids("order_items", "product_id") <= ids("products")
    assert ids("events", "customer_id") <= ids("customers")


def test_rows_change_as_time_goes_on(set_clock: Callable[[datetime], None]) -> None:
    before = {row["id"]: row for row in read("orders").to_pylist()}
    set_clock(START + timedelta(days=2))
    after = {row["id"]: row for row in read("orders").to_pylist()}
    assert len(after) == len(before) + 2 * 72
    changed = [key for key, row in before.items() if after[key] != row]
    assert changed
    assert all(after[key]["updated_at"] > before[key]["updated_at"] for key in changed)
    assert all(after[key]["status"] != before[key]["status"] for key in changed)


def test_before_the_shop_opened_it_is_empty(set_clock: Callable[[datetime], None]) -> None:
    set_clock(datetime(2020, 1, 1, tzinfo=UTC))
    for table in DEMO.tables({}, Reach()):
        assert read(table.name).num_rows == 0


def test_an_unknown_cursor_column_is_missing() -> None:
    with pytest.raises(MissingError, match="no_such"):
        read("orders", Cursor("no_such", "timestamp"))


def test_only_sets_with_the_id_are_keys() -> None:
    assert DEMO.check_key({}, Reach(), "orders", ("id",))
    assert DEMO.check_key({}, Reach(), "orders", ("status", "id"))
    assert not DEMO.check_key({}, Reach(), "orders", ("status",))
    assert not DEMO.check_key({}, Reach(), "orders", ("id", "no_such"))
