"""A person's SQL: which tables it may read, what the answer holds, when it comes from the cache."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import AccessRule
from hedgerow.core.errors import BadRequestError
from hedgerow.lake.storage import Storage
from hedgerow.warehouse import query, tables
from hedgerow.warehouse.query import Question
from tests.support import shop
from tests.support.people import People

pytestmark = pytest.mark.django_db
ActingAs = Callable[..., Actor]


def ask(actor: Actor, sql: str, refresh: str = "blocking", **values: Any) -> dict[str, Any]:
    """As the API does it: from the cache if it may, else now."""
    prepared = query.prepare(actor, Question(sql, values, refresh))
    return query.cached(prepared, refresh) or query.run(prepared)


@pytest.fixture
def alice(people: People, acting: ActingAs) -> Actor:
    return acting(people.alice, people.project)


def test_the_answer_has_every_member_of_the_contract(people: People, alice: Actor, storage: Storage) -> None:
    shop.register(storage, people.project, "orders")
    answer = ask(alice, "SELECT id, name FROM orders ORDER BY id LIMIT 2")
    assert datetime.fromisoformat(answer.pop("last_refresh")).utcoffset() is not None
    assert answer.pop("cache_key")
    assert answer == {
        "results": [[1, "Ada"], [2, "Grace"]],
        "columns": ["id", "name"],
        "types": [["id", "Int64"], ["name", "String"]],
        "hasMore": True,
        "limit": 2,
        "offset": 0,
        "query": "SELECT id, name FROM orders ORDER BY id LIMIT 2",
        "hogql": "SELECT id, name FROM orders ORDER BY id LIMIT 3",
        "error": None,
        "timings": [],
        "is_cached": False,
        "timezone": "UTC",
    }


def test_tables_of_another_project_do_not_exist(people: People, alice: Actor, storage: Storage) -> None:
    shop.register(storage, people.elsewhere, "orders")
    with pytest.raises(BadRequestError, match="Unknown table `orders`"):
        ask(alice, "SELECT * FROM orders")


def test_the_same_name_means_each_projects_own_table(
    people: People, alice: Actor, acting: ActingAs, storage: Storage
) -> None:
    shop.register(storage, people.project, "orders", pa.table({"whose": ["alice"]}))
    shop.register(storage, people.elsewhere, "orders", pa.table({"whose": ["charlie"]}))
    charlie = acting(people.charlie, people.elsewhere)
    assert ask(alice, "SELECT * FROM orders")["results"] == [["alice"]]
    assert ask(charlie, "SELECT * FROM orders")["results"] == [["charlie"]]


def test_a_forbidden_table_does_not_exist_not_even_in_the_cache(
    people: People, alice: Actor, acting: ActingAs, storage: Storage
) -> None:
    table = shop.register(storage, people.project, "orders")
    assert ask(alice, "SELECT count() FROM orders")["results"] == [[3]]
    AccessRule.objects.create(project=people.project, resource=tables.RESOURCE, object_id=str(table.id), level="none")
    bob = acting(people.bob, people.project)
    with pytest.raises(BadRequestError, match="Unknown table `orders`"):
        ask(bob, "SELECT count() FROM orders")
    assert ask(alice, "SELECT count() FROM orders")["results"] == [[3]]


def test_a_dropped_table_does_not_exist(people: People, alice: Actor, storage: Storage) -> None:
    tables.drop(shop.register(storage, people.project, "orders"))
    with pytest.raises(BadRequestError, match="Unknown table `orders`"):
        ask(alice, "SELECT * FROM orders")


def test_a_query_with_very_many_words_finds_its_tables(people: People, alice: Actor, storage: Storage) -> None:
    shop.register(storage, people.project, "orders")
    numbers = ", ".join(str(n) for n in range(1000))
    assert ask(alice, f"SELECT count() FROM orders WHERE id IN ({numbers})")["results"] == [[2]]


def test_an_answer_comes_from_the_cache_until_its_table_is_synced(
    people: People, alice: Actor, storage: Storage
) -> None:
    table = shop.register(storage, people.project, "orders", pa.table({"n": [1]}))
    sql = "SELECT n FROM orders"
    first = ask(alice, sql)
    again = ask(alice, sql)
    assert (first["is_cached"], again["is_cached"]) == (False, True)
    assert again == first | {"is_cached": True}
    written = shop.store(storage, table.location, pa.table({"n": [2]}), fence=2)
    tables.register(
        project=people.project, name="orders", location=table.location, columns=written.columns,
        row_count=1, version=written.version, table_id=table.id,
    )  # fmt: skip
    after = ask(alice, sql)
    assert (after["is_cached"], after["results"]) == (False, [[2]])


def test_force_blocking_never_takes_the_cached_answer(alice: Actor) -> None:
    assert ask(alice, "SELECT 1")["is_cached"] is False
    assert ask(alice, "SELECT 1", "force_blocking")["is_cached"] is False
    assert ask(alice, "SELECT 1")["is_cached"] is True


def test_force_cache_never_runs_anything(alice: Actor) -> None:
    empty = ask(alice, "SELECT 1", "force_cache")
    assert (empty["results"], empty["is_cached"], empty["query"]) == (None, False, "SELECT 1")
    ask(alice, "SELECT 1")
    assert ask(alice, "SELECT 1", "force_cache")["results"] == [[1]]


def test_answers_with_a_clock_in_them_are_not_kept(alice: Actor) -> None:
    assert ask(alice, "SELECT now()")["is_cached"] is False
    assert ask(alice, "SELECT now()")["is_cached"] is False


def test_other_values_are_another_question(alice: Actor) -> None:
    assert ask(alice, "SELECT {x}", x=1)["results"] == [[1]]
    assert ask(alice, "SELECT {x}", x=2)["results"] == [[2]]
