"""Making people and projects."""

import pytest

from hedgerow.accounts import services
from hedgerow.accounts.access import RESOURCES
from hedgerow.accounts.models import AccessRule, Level, Membership
from hedgerow.core.errors import BadRequestError
from tests.support.people import People


def test_an_address_is_kept_in_lower_case_and_used_once(db: None) -> None:
    user = services.create_user(" Ada@Example.COM ", None)
    assert user.email == "ada@example.com"
    with pytest.raises(BadRequestError) as caught:
        services.create_user("ADA@example.com", None)
    assert (caught.value.code, caught.value.field) == ("unique", "email")


@pytest.mark.parametrize("email", ["", "ada", "ada@", "a b@example.com", "a" * 250 + "@example.com"])
def test_what_is_no_address_is_refused(db: None, email: str) -> None:
    with pytest.raises(BadRequestError):
        services.create_user(email, None)


def test_without_password_nobody_can_sign_in(db: None) -> None:
    assert not services.create_user("service@example.com", None).has_usable_password()


def test_a_first_project_brings_an_organization_that_its_owner_owns(people: People) -> None:
    membership = Membership.objects.get(user=people.alice)
    assert membership.level == Level.OWNER
    assert membership.organization == people.organization
    people.alice.refresh_from_db()
    assert people.alice.current_project == people.project


def test_a_second_project_can_share_the_organization(people: People) -> None:
    second = services.create_project("Second", people.alice, people.organization)
    assert second.organization == people.organization
    assert second.pk != people.project.pk


def test_a_viewer_becomes_a_member_when_made_one(people: People) -> None:
    rules = AccessRule.objects.filter(membership__user=people.vera)
    assert {rule.resource for rule in rules} == set(RESOURCES)
    services.add_member(people.project, people.vera, "member")
    assert not rules.all().exists()
    services.add_member(people.project, people.vera, "owner")
    assert Membership.objects.get(user=people.vera).level == Level.OWNER


def test_a_key_needs_a_scope(people: People) -> None:
    with pytest.raises(BadRequestError) as caught:
        services.create_key(people.bob, "empty", [])
    assert (caught.value.code, caught.value.field) == ("required", "scopes")
