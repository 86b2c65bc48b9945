"""What a person may know and ask of what tables were."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from django.conf import settings

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import AccessRule
from hedgerow.core.clock import now
from hedgerow.core.errors import BadRequestError
from hedgerow.lake import maintain
from hedgerow.lake.storage import Storage
from hedgerow.warehouse import cache, query, tables, versions
from hedgerow.warehouse.models import Table
from hedgerow.warehouse.query import Question
from tests.support import shop
from tests.support.people import People

pytestmark = pytest.mark.django_db
ActingAs = Callable[..., Actor]
OLD = "SELECT n FROM orders AT (VERSION => 0)"


def ask(actor: Actor, sql: str, **values: Any) -> dict[str, Any]:
    """As the API does it: from the cache if it may, else now."""
    prepared = query.prepare(actor, Question(sql, values))
    return query.cached(prepared, "blocking") or query.run(prepared)


def sync(storage: Storage, table: Table, number: int, fence: int) -> None:
    """A full refresh to one row, as a run does it."""
    written = shop.store(storage, table.location, pa.table({"n": [number]}), fence)
    tables.register(
        project=table.project, name=table.name, location=table.location, columns=written.columns,
        row_count=1, version=written.version, table_id=table.id,
    )  # fmt: skip


@pytest.fixture
def alice(people: People, acting: ActingAs) -> Actor:
    return acting(people.alice, people.project)


@pytest.fixture
def orders(people: People, storage: Storage) -> Table:
    """A table at its second version: 1, then 2."""
    table = shop.register(storage, people.project, "orders", pa.table({"n": [1]}))
    sync(storage, table, 2, fence=2)
    return table


def test_old_versions_are_listed_with_their_end(orders: Table) -> None:
    newest, oldest = versions.readable(orders)
    assert (newest.number, newest.expires_at, newest.row_count) == (1, None, 1)
    assert (oldest.number, oldest.run_id, oldest.row_count) == (0, "run", 1)
    assert oldest.expires_at == newest.created_at + timedelta(hours=settings.CONFIG.keep_hours)
    assert now() - timedelta(minutes=5) < oldest.created_at <= newest.created_at <= now()


def test_sql_reads_them_with_placeholders_too(alice: Actor, orders: Table) -> None:
    assert ask(alice, "SELECT n FROM orders AT (VERSION => {v})", v=0)["results"] == [[1]]
    moment = versions.readable(orders)[0].created_at.isoformat()
    assert ask(alice, "SELECT n FROM orders AT (TIMESTAMP => {t})", t=moment)["results"] == [[2]]
    both = "SELECT a.n, b.n FROM orders AT (VERSION => 0) a, orders b"
    assert ask(alice, both)["results"] == [[1, 2]]


def test_old_versions_of_tables_of_others_do_not_exist(
    people: People, alice: Actor, acting: ActingAs, orders: Table
) -> None:
    with pytest.raises(BadRequestError, match="Unknown table `orders`"):
        ask(acting(people.charlie, people.elsewhere), OLD)
    assert ask(alice, OLD)["results"] == [[1]]
    AccessRule.objects.create(project=people.project, resource=tables.RESOURCE, object_id=str(orders.id), level="none")
    with pytest.raises(BadRequestError, match="Unknown table `orders`"):
        ask(acting(people.bob, people.project), OLD)


def test_an_answer_from_an_old_version_is_kept_over_syncs_until_the_version_ends(
    alice: Actor, orders: Table, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, mixed = (
        "SELECT n FROM orders AT (VERSION => 1)",
        "SELECT a.n, b.n FROM orders a, orders AT (VERSION => 0) b",
    )
    for sql in (OLD, newest, mixed):
        assert (ask(alice, sql)["is_cached"], ask(alice, sql)["is_cached"]) == (False, True)
    sync(storage, orders, 3, fence=3)
    assert [ask(alice, sql)["is_cached"] for sql in (OLD, newest, mixed)] == [True, False, False]
    assert ask(alice, newest)["results"] == [[2]]
    assert ask(alice, mixed)["results"] == [[3, 1]]
    maintain.tidy(storage, orders.location, keep_hours=0)
    assert ask(alice, OLD)["is_cached"] is True
    later = now() + timedelta(hours=settings.CONFIG.keep_hours)
    monkeypatch.setattr(cache, "now", lambda: later)
    with pytest.raises(BadRequestError, match="Version 0 of the table `orders` can no longer be read"):
        ask(alice, OLD)
