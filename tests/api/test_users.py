"""The caller about themselves."""

import pytest

from hedgerow.accounts import services
from hedgerow.accounts.models import Membership, User
from tests.api.conftest import Caller
from tests.support.people import People


def test_me_tells_who_and_where(people: People, bob: Caller) -> None:
    me = bob.get("/api/users/@me/").json()
    assert (me["id"], me["uuid"], me["email"]) == (people.bob.pk, str(people.bob.uuid), "bob@example.com")
    assert me["distinct_id"] == str(people.bob.uuid)
    assert (me["first_name"], me["last_name"]) == ("Bob", "")
    assert (me["is_email_verified"], me["is_staff"], me["has_password"]) == (True, False, False)
    assert me["date_joined"].endswith("Z")
    assert me["team"]["id"] == people.project.pk
    assert me["organization"]["id"] == str(people.organization.pk)
    assert me["organization"]["membership_level"] == 1
    assert [project["id"] for project in me["organization"]["teams"]] == [people.project.pk]
    assert me["organization"]["projects"] == me["organization"]["teams"]
    assert [o["name"] for o in me["organizations"]] == ["Shop"]
    assert me["organizations"][0].keys() == {
        "id",
        "name",
        "slug",
        "logo_media_id",
        "membership_level",
        "members_can_use_personal_api_keys",
    }


def test_limits_of_a_key_do_not_bind_me(people: People, api: type[Caller]) -> None:
    elsewhere = services.create_project("Side", people.alice)
    caller = api(people.key(people.alice, ["user:read"], [people.project]))
    people.alice.api_keys.update(scoped_organizations=[str(people.organization.pk)])
    me = caller.get("/api/users/@me")
    assert me.status_code == 200
    assert me.json()["team"]["id"] == elsewhere.pk
    assert len(me.json()["organizations"]) == 2


@pytest.mark.parametrize("with_membership", [True, False])
def test_me_without_project_or_organization_has_nulls(people: People, bob: Caller, with_membership: bool) -> None:
    people.project.delete()
    if not with_membership:
        Membership.objects.filter(user=people.bob).delete()
    assert User.objects.get(pk=people.bob.pk).current_project is None
    me = bob.get("/api/users/@me/").json()
    assert me["team"] is None
    assert (me["organization"] is not None) is with_membership
    assert len(me["organizations"]) == with_membership
