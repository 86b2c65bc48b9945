"""Prefixes and the names of warehouse tables."""

import pytest

from hedgerow.core.errors import BadRequestError
from hedgerow.sources import naming
from hedgerow.sources.models import Source

ONLY_UNDERSCORES = "Prefix cannot consist of only underscores"
CHARACTERS = "Prefix must contain only letters, numbers, and underscores, and start with a letter or underscore"


@pytest.mark.parametrize("prefix", [None, "", "shop", "Shop_2", "_a_", "__x", "a", "a1_"])
def test_a_prefix_of_letters_digits_and_underscores_is_fine(prefix: str | None) -> None:
    naming.check_characters(prefix)


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("_", ONLY_UNDERSCORES),
        ("___", ONLY_UNDERSCORES),
        ("a-b", CHARACTERS),
        ("a.b", CHARACTERS),
        ("a b", CHARACTERS),
        ("1a", CHARACTERS),
        ("_1a", CHARACTERS),
        ("größe", CHARACTERS),
        ("a'", CHARACTERS),
        ('"a"', CHARACTERS),
        ("a\n", CHARACTERS),
    ],
)
def test_any_other_prefix_is_refused(prefix: str, text: str) -> None:
    with pytest.raises(BadRequestError, match=text):
        naming.check_characters(prefix)


def test_blanks_around_a_prefix_go_and_101_characters_are_too_many() -> None:
    assert naming.prefix("  shop ") == "shop"
    assert naming.prefix("  ") == ""
    assert naming.prefix(None) is None
    assert naming.prefix("x" * 100) == "x" * 100
    with pytest.raises(BadRequestError, match="no more than 100 characters") as refused:
        naming.prefix("x" * 101)
    assert (refused.value.code, refused.value.field) == ("max_length", "prefix")


def test_prefixes_that_lead_to_the_same_tables_are_the_same() -> None:
    assert {naming.prefix_key(p) for p in ("shop", "SHOP", "shop_", "Shop__")} == {"shop"}
    assert {naming.prefix_key(p) for p in (None, "")} == {""}


@pytest.mark.parametrize(
    ("prefix", "table", "name"),
    [
        ("shop_", "Orders", "shop_postgres_orders"),
        ("shop", "orders", "shop_postgres_orders"),
        (None, "orders", "postgres_orders"),
        ("", "Order Items", "postgres_order_items"),
        (None, "sales.2024-q1", "postgres_sales_2024_q1"),
        (None, "größe😀", "postgres_gr__e_"),
        ("_a_", "b", "_a_postgres_b"),
    ],
)
def test_a_table_is_named_after_prefix_type_and_table(prefix: str | None, table: str, name: str) -> None:
    assert naming.table_name(Source(source_type="Postgres", prefix=prefix), table) == name


def test_long_names_are_cut_before_the_suffix() -> None:
    name = naming.table_name(Source(source_type="Postgres", prefix=None), "x" * 300)
    assert len(name) == 128
    assert naming.free_name(name, {name}) == f"{name}_2"


def test_a_name_that_is_taken_gets_the_next_number() -> None:
    assert naming.free_name("users", set()) == "users"
    assert naming.free_name("users", {"users"}) == "users_2"
    assert naming.free_name("users", {"users", "users_2"}) == "users_3"
