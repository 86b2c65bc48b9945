"""Tables: registered once under their id, hidden when dropped, seen by whom the rules let see them."""

from collections.abc import Callable
from typing import Any

import pytest

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import AccessRule, Membership, Project
from hedgerow.core.errors import BadRequestError, ConflictError
from hedgerow.core.ids import uuid7
from hedgerow.warehouse import tables
from hedgerow.warehouse.models import Table
from tests.support.people import People

pytestmark = pytest.mark.django_db
ActingAs = Callable[..., Actor]


def registered(project: Project, name: str, **changes: Any) -> Table:
    table_id = changes.pop("table_id", None) or uuid7()
    facts: dict[str, Any] = {
        "project": project,
        "name": name,
        "location": f"{project.pk}/{name}-{table_id.hex[-8:]}",
        "columns": [{"name": "id", "type": "integer"}],
        "row_count": 1,
        "version": 0,
        "table_id": table_id,
    }
    return tables.register(**facts | changes)


def test_a_second_run_brings_the_same_table_up_to_date(people: People) -> None:
    first = registered(people.project, "orders", created_by=people.alice)
    again = registered(people.project, "orders", table_id=first.id, row_count=7, version=3, columns=[])
    assert (again.id, again.row_count, again.version, again.columns) == (first.id, 7, 3, [])
    assert again.created_by == people.alice
    assert Table.objects.count() == 1


def test_a_name_belongs_to_one_live_table_of_a_project(people: People) -> None:
    first = registered(people.project, "orders")
    registered(people.elsewhere, "orders")
    with pytest.raises(ConflictError, match="A table named orders already exists"):
        registered(people.project, "orders")
    tables.drop(first)
    assert registered(people.project, "orders").id != first.id


def test_a_dropped_table_is_seen_by_nobody_and_comes_back_with_its_next_run(people: People, acting: ActingAs) -> None:
    table = registered(people.project, "orders")
    tables.drop(table)
    assert not tables.visible(acting(people.alice, people.project)).exists()
    registered(people.project, "orders", table_id=table.id)
    assert tables.visible(acting(people.alice, people.project)).get().id == table.id


def test_tables_of_other_projects_are_not_seen(people: People, acting: ActingAs) -> None:
    registered(people.elsewhere, "orders")
    assert not tables.visible(acting(people.alice, people.project)).exists()


def test_rules_on_the_table_come_before_those_on_its_source(people: People, acting: ActingAs) -> None:
    hidden, shown = uuid7(), uuid7()
    source = {"owner_kind": tables.SOURCE}
    registered(people.project, "by_hidden_source", owner_id=str(hidden), **source)
    allowed = registered(people.project, "allowed_itself", owner_id=str(hidden), **source)
    registered(people.project, "by_shown_source", owner_id=str(shown), **source)
    forbidden = registered(people.project, "forbidden_itself", owner_id=str(shown), **source)
    own = registered(people.project, "own", owner_id=str(hidden), created_by=people.bob, **source)
    bob = Membership.objects.get(user=people.bob, organization=people.organization)
    for resource, object_id, level in (
        (tables.SOURCE, hidden, "none"),
        (tables.RESOURCE, allowed.id, "viewer"),
        (tables.RESOURCE, forbidden.id, "none"),
    ):
        AccessRule.objects.create(
            project=people.project, resource=resource, object_id=str(object_id), membership=bob, level=level
        )
    seen = set(tables.visible(acting(people.bob, people.project)).values_list("name", flat=True))
    assert seen == {"allowed_itself", "by_shown_source", own.name}
    assert tables.visible(acting(people.alice, people.project)).count() == 5


def test_a_table_of_a_source_cannot_be_deleted(people: People) -> None:
    sourced = registered(people.project, "orders", owner_kind=tables.SOURCE, owner_id=str(uuid7()))
    with pytest.raises(BadRequestError, match="Can't delete a sourced table"):
        tables.delete(sourced)
    free = registered(people.project, "free")
    tables.delete(free)
    assert list(Table.objects.filter(deleted_at=None)) == [sourced]
