"""Levels: the most specific rule wins, and of those the member's own."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.accounts import access
from hedgerow.accounts.access import EVERYONE, LEVELS, MEMBER, ROLE, Actor, Rule, decide, steps
from hedgerow.accounts.models import AccessRule, Membership, Project, Role, RoleMembership
from hedgerow.core.errors import DeniedError
from hedgerow.warehouse.models import Table
from tests.support.people import People

SOURCE, TABLE = "external_data_source", "warehouse_table"


def rule(resource: str, object_id: str, rank: int, level: str) -> Rule:
    return Rule(resource, object_id, rank, level)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], None),
        ([rule(SOURCE, "", EVERYONE, "viewer")], "viewer"),
        ([rule(SOURCE, "", MEMBER, "none")], "none"),
        ([rule(SOURCE, "other", MEMBER, "manager")], None),
        ([rule(TABLE, "", MEMBER, "manager")], None),
        # a person can be given less than everyone else
        ([rule(SOURCE, "", EVERYONE, "editor"), rule(SOURCE, "", MEMBER, "viewer")], "viewer"),
        ([rule(SOURCE, "", ROLE, "manager"), rule(SOURCE, "", MEMBER, "none")], "none"),
        ([rule(SOURCE, "", EVERYONE, "manager"), rule(SOURCE, "", ROLE, "viewer")], "viewer"),
        # of several roles the highest counts
        (
            [rule(SOURCE, "", ROLE, "viewer"), rule(SOURCE, "", ROLE, "editor"), rule(SOURCE, "", ROLE, "none")],
            "editor",
        ),
        # the object before the whole resource, whoever is named
        ([rule(SOURCE, "s1", EVERYONE, "none"), rule(SOURCE, "", MEMBER, "manager")], "none"),
        ([rule(SOURCE, "s1", ROLE, "viewer"), rule(SOURCE, "", MEMBER, "none")], "viewer"),
    ],
)
def test_the_most_specific_rule_decides(rules: list[Rule], expected: str | None) -> None:
    found = decide(rules, steps(SOURCE, "s1"))
    assert (found.level if found else None) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule(SOURCE, "s1", EVERYONE, "none")], "none"),
        ([rule(SOURCE, "s1", MEMBER, "none"), rule(TABLE, "t1", EVERYONE, "viewer")], "viewer"),
        ([rule(SOURCE, "s1", EVERYONE, "viewer"), rule(TABLE, "", MEMBER, "none")], "viewer"),
        ([rule(TABLE, "", EVERYONE, "viewer"), rule(SOURCE, "", EVERYONE, "none")], "viewer"),
        ([rule(SOURCE, "", EVERYONE, "none")], "none"),
    ],
)
def test_a_table_follows_its_source(rules: list[Rule], expected: str) -> None:
    found = decide(rules, steps(TABLE, "t1", (SOURCE, "s1")))
    assert found is not None
    assert found.level == expected


some_rule = st.builds(
    Rule,
    st.just(SOURCE),
    st.sampled_from(["", "s1", "s2"]),
    st.sampled_from([EVERYONE, ROLE, MEMBER]),
    st.sampled_from(LEVELS),
)


@given(st.lists(some_rule, max_size=8), st.sampled_from(LEVELS))
def test_a_members_own_rule_on_the_object_cannot_be_overruled(rules: list[Rule], level: str) -> None:
    others = [r for r in rules if (r.object_id, r.rank) != ("s1", MEMBER)]
    found = decide([*others, rule(SOURCE, "s1", MEMBER, level)], steps(SOURCE, "s1"))
    assert found is not None
    assert found.level == level


@given(st.lists(some_rule, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(rules: list[Rule], random: Any) -> None:
    shuffled = random.sample(rules, len(rules))
    levels = [d.level if (d := decide(r, steps(SOURCE, "s1"))) else None for r in (rules, shuffled)]
    assert levels[0] == levels[1]


def test_levels_are_ordered() -> None:
    assert all(access.at_least(high, low) and not access.at_least(low, high) for low, high in pairwise(LEVELS))


@pytest.fixture
def bob(people: People) -> Actor:
    return _actor(people.project, Membership.objects.get(user=people.bob))


@pytest.fixture
def grant(people: People) -> Callable[..., AccessRule]:
    """Makes a rule in the project."""

    def make(resource: str, level: str, object_id: str = "", **whose: Any) -> AccessRule:
        return AccessRule.objects.create(
            project=people.project, resource=resource, object_id=object_id, level=level, **whose
        )

    return make


def _actor(project: Project, membership: Membership) -> Actor:
    return Actor(membership.user, project=project, membership=membership)


def test_without_rules_a_member_may_edit_but_not_manage(bob: Actor) -> None:
    assert access.level_for(bob, SOURCE) == "editor"
    access.require(bob, SOURCE, "editor")
    with pytest.raises(DeniedError, match="manager access"):
        access.require(bob, SOURCE, "manager")


def test_the_creator_manages_what_is_theirs(bob: Actor, grant: Callable[..., AccessRule]) -> None:
    grant(SOURCE, "viewer")
    assert access.level_for(bob, SOURCE, "s1", creator_id=bob.user.pk) == "manager"
    assert access.level_for(bob, SOURCE, "s1", creator_id=bob.user.pk + 1) == "viewer"
    assert access.level_for(bob, SOURCE, "s1", creator_id=None) == "viewer"


def test_no_rule_binds_an_admin_of_the_organization(people: People, grant: Callable[..., AccessRule]) -> None:
    alice = _actor(people.project, Membership.objects.get(user=people.alice))
    grant(SOURCE, "none")
    grant("project", "none", str(people.project.pk))
    assert access.level_for(alice, SOURCE, "s1") == "manager"


def test_an_explicit_project_admin_manages_everything(bob: Actor, grant: Callable[..., AccessRule]) -> None:
    assert not bob.is_admin, "the default level of a project, admin, makes nobody an admin"
    assert bob.project is not None
    grant("project", "admin", str(bob.project.pk), membership=bob.membership)
    promoted = Actor(bob.user, project=bob.project, membership=bob.membership)
    assert promoted.is_admin
    assert access.level_for(promoted, SOURCE, "s1") == "manager"


def test_rules_of_ones_roles_count_and_those_of_others_do_not(
    people: People, bob: Actor, grant: Callable[..., AccessRule]
) -> None:
    mine, theirs = (Role.objects.create(organization=people.organization, name=name) for name in ("mine", "theirs"))
    RoleMembership.objects.create(role=mine, membership=Membership.objects.get(user=people.bob))
    vera = Membership.objects.get(user=people.vera)
    RoleMembership.objects.create(role=theirs, membership=vera)
    grant(SOURCE, "viewer", role=mine)
    grant(SOURCE, "manager", role=theirs)
    grant(SOURCE, "manager", membership=Membership.objects.get(user=people.alice))
    assert [(r.rank, r.level) for r in bob.rules] == [(ROLE, "viewer")]


def test_rules_are_loaded_once(bob: Actor, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        for pk in ("a", "b", "c"):
            access.level_for(bob, SOURCE, pk)
            access.level_for(bob, TABLE, pk, parent=(SOURCE, "s"))


def test_a_rule_on_one_object_opens_the_kind_but_not_creation(bob: Actor, grant: Callable[..., AccessRule]) -> None:
    grant(SOURCE, "none")
    grant(SOURCE, "viewer", "s1")
    access.require_some(bob, SOURCE, "viewer")
    with pytest.raises(DeniedError):
        access.require_some(bob, SOURCE, "editor")
    with pytest.raises(DeniedError):
        access.require(bob, SOURCE, "viewer")


@pytest.mark.parametrize(("level", "allowed"), [("none", False), ("viewer", True), ("editor", True)])
def test_an_objects_own_level_counts(bob: Actor, grant: Callable[..., AccessRule], level: str, allowed: bool) -> None:
    grant(SOURCE, level, "s1")
    if allowed:
        access.require_object(bob, SOURCE, "s1", creator_id=None, level="viewer")
    else:
        with pytest.raises(DeniedError, match="viewer access"):
            access.require_object(bob, SOURCE, "s1", creator_id=None, level="viewer")


def _tables(people: People, count: int = 4) -> list[Table]:
    """Tables t0, t1 … of which t0 is Bob's; t2 and t3 belong to source s1."""
    return [
        Table.objects.create(
            project=people.project,
            name=f"t{place}",
            location=f"t{place}",
            created_by=people.bob if place == 0 else people.alice if place == 1 else None,
            owner_kind=SOURCE if place > 1 else "",
            owner_id="s1" if place > 1 else "",
        )
        for place in range(count)
    ]


@pytest.mark.parametrize(
    ("rules", "seen"),
    [
        ([], "t0 t1 t2 t3"),
        ([(TABLE, "viewer", "")], "t0 t1 t2 t3"),
        ([(TABLE, "none", "t1")], "t0 t2 t3"),
        ([(TABLE, "none", "t0")], "t0 t1 t2 t3"),  # the creator's
        ([(TABLE, "none", ""), (TABLE, "viewer", "t1")], "t0 t1"),
        ([(SOURCE, "none", "s1")], "t0 t1"),
        ([(SOURCE, "none", "s1"), (TABLE, "viewer", "t3")], "t0 t1 t3"),
        ([(SOURCE, "viewer", "s1"), (TABLE, "none", "")], "t0 t2 t3"),
        ([(SOURCE, "none", "")], "t0 t1"),
        ([(SOURCE, "none", ""), (TABLE, "viewer", "")], "t0 t1 t2 t3"),
        ([(SOURCE, "viewer", "s1"), (TABLE, "none", "t2")], "t0 t1 t3"),
    ],
)
def test_lists_hold_only_what_may_be_viewed(
    people: People, bob: Actor, grant: Callable[..., AccessRule], rules: list[tuple[str, str, str]], seen: str
) -> None:
    tables = {table.name: table for table in _tables(people)}
    for resource, level, object_id in rules:
        grant(resource, level, str(tables[object_id].pk) if object_id in tables else object_id)
    narrowed = access.narrow(bob, TABLE, Table.objects.order_by("name"), parent=(SOURCE, "owner_id"))
    assert " ".join(table.name for table in narrowed) == seen
    one_by_one = [
        table.name
        for table in tables.values()
        if access.at_least(
            access.level_for(
                bob,
                TABLE,
                str(table.pk),
                creator_id=table.created_by_id,
                parent=(SOURCE, table.owner_id) if table.owner_id else None,
            ),
            "viewer",
        )
    ]
    assert " ".join(one_by_one) == seen, "the list and the single decision agree"
