"""Who may change rules, and who has access to an object."""

from typing import Any

import pytest

from hedgerow.accounts import rules
from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import AccessRule, Membership, Role, RoleMembership, User
from hedgerow.accounts.rules import Target
from hedgerow.core.errors import BadRequestError, DeniedError
from tests.support.people import People

SOURCE = "external_data_source"


def actor(people: People, user: User) -> Actor:
    return Actor(user, project=people.project, membership=Membership.objects.get(user=user))


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (Target(SOURCE, "s1"), "Must be manager to modify external_data_source permissions."),
        (Target(SOURCE), "Must be an Organization admin to modify project-wide permissions."),
        (Target("project", "1"), "Must be admin to modify project permissions."),
    ],
)
def test_a_plain_member_may_not(people: People, target: Target, text: str) -> None:
    with pytest.raises(DeniedError) as caught:
        rules.put(actor(people, people.bob), target, "none")
    assert caught.value.message == text


def test_the_creator_may_and_so_may_an_explicit_project_admin(people: People) -> None:
    bob = actor(people, people.bob)
    assert rules.put(bob, Target(SOURCE, "s1", creator_id=people.bob.pk), "viewer") is not None
    alice = actor(people, people.alice)
    project = Target("project", str(people.project.pk))
    rules.put(alice, project, "admin", member_id=str(bob.membership.pk if bob.membership else ""))
    promoted = actor(people, people.bob)
    assert rules.put(promoted, Target(SOURCE, "s2"), "none") is not None
    assert rules.put(promoted, Target(SOURCE), "none") is not None


def test_one_rule_each_is_replaced_and_removed(people: People) -> None:
    alice, target = actor(people, people.alice), Target(SOURCE, "s1")
    vera = str(Membership.objects.get(user=people.vera).pk)
    first = rules.put(alice, target, "viewer", member_id=vera)
    second = rules.put(actor(people, people.alice), target, "none", member_id=vera)
    assert first is not None
    assert second is not None
    assert (first.pk, second.level, second.created_by) == (second.pk, "none", people.alice)
    rules.put(alice, target, "editor")
    assert len(rules.rules_about(people.project, target)) == 2
    assert rules.put(alice, target, None, member_id=vera) is None
    assert [rule.membership for rule in rules.rules_about(people.project, target)] == [None]


def test_mistakes_are_named(people: People) -> None:
    alice, target = actor(people, people.alice), Target(SOURCE, "s1")
    vera = str(Membership.objects.get(user=people.vera).pk)
    stranger = str(Membership.objects.get(user=people.charlie).pk)
    role = str(Role.objects.create(organization=people.organization, name="r").pk)
    foreign = str(Role.objects.create(organization=people.elsewhere.organization, name="r").pk)
    cases: list[tuple[dict[str, Any], str, str, str | None]] = [
        (
            {"level": "owner"},
            "Invalid access level. Must be one of: none, viewer, editor, manager",
            "invalid_input",
            "access_level",
        ),
        (
            {"level": "none", "member_id": vera, "role_id": role},
            "You can not scope an access control to both a member and a role.",
            "invalid_input",
            None,
        ),
        (
            {"level": "none", "member_id": stranger},
            f'Invalid pk "{stranger}" - object does not exist.',
            "does_not_exist",
            "organization_member",
        ),
        (
            {"level": "none", "role_id": foreign},
            f'Invalid pk "{foreign}" - object does not exist.',
            "does_not_exist",
            "role",
        ),
        ({"level": "none", "role_id": "x"}, 'Invalid pk "x" - object does not exist.', "does_not_exist", "role"),
    ]
    for asked, text, code, field in cases:
        with pytest.raises(BadRequestError) as caught:
            rules.put(alice, target, **asked)
        assert (caught.value.message, caught.value.code, caught.value.field) == (text, code, field)
    with pytest.raises(BadRequestError, match="one of: none, member, admin"):
        rules.put(alice, Target("project", str(people.project.pk)), "viewer")


def test_everybody_with_access_is_listed_with_the_reason(people: People, django_assert_num_queries: Any) -> None:
    target = Target(SOURCE, "s1", creator_id=people.bob.pk)
    with django_assert_num_queries(3):
        found = rules.people(people.project, target)
    assert [(p.membership.user.first_name, p.level, p.source) for p in found] == [
        ("Alice", "manager", "organization_admin"),
        ("Bob", "manager", "creator"),
        ("Vera", "viewer", "explicit_member"),
    ]


def test_rules_of_roles_and_of_the_project_are_reasons_too(people: People) -> None:
    bob, vera = (Membership.objects.get(user=user) for user in (people.bob, people.vera))
    role = Role.objects.create(organization=people.organization, name="r")
    RoleMembership.objects.create(role=role, membership=vera)
    AccessRule.objects.filter(membership=vera).delete()

    def sources() -> list[tuple[str, str]]:
        found = rules.people(people.project, Target(SOURCE, "s1"))
        return [(p.level, p.source) for p in found if p.membership.user_id != people.alice.pk]

    assert sources() == [("editor", "default"), ("editor", "default")]
    everyone = AccessRule.objects.create(project=people.project, resource=SOURCE, level="viewer")
    assert sources() == [("viewer", "default"), ("viewer", "default")]
    AccessRule.objects.create(project=people.project, resource=SOURCE, object_id="s1", level="manager", role=role)
    assert sources() == [("viewer", "default"), ("manager", "explicit_role")]
    everyone.level = "none"
    everyone.save()
    assert sources() == [("manager", "explicit_role")]
    project = {"project": people.project, "resource": "project", "object_id": str(people.project.pk)}
    AccessRule.objects.create(**project, level="admin", membership=bob)
    AccessRule.objects.create(**project, level="none", membership=vera)
    assert sources() == [("manager", "project_admin")]
