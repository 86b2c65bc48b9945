from uuid import UUID

from hedgerow.core.ids import uuid7
from hedgerow.lake import paths


def test_a_table_lies_under_its_project_with_its_name_and_a_part_of_its_id() -> None:
    table_id = UUID("0199d3ab-90f2-7a88-b1c5-0b7e52d1c9aa")
    assert paths.location(7, "shop_postgres_orders", table_id) == "7/shop_postgres_orders-52d1c9aa"


def test_tables_made_at_the_same_moment_lie_apart() -> None:
    assert len({paths.location(7, "orders", uuid7()) for _ in range(100)}) == 100
