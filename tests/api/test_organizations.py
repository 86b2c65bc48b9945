"""Organizations: members and roles, and who may change them."""

from typing import Any

import pytest

from hedgerow.accounts import services
from hedgerow.accounts.models import Level, Membership, Role
from tests.api.conftest import Caller, envelope
from tests.support.people import People

NOT_FOUND = (404, "not_found", "Not found.", None)


@pytest.fixture
def url(people: People) -> str:
    return f"/api/organizations/{people.organization.pk}"


@pytest.fixture
def role(people: People) -> Role:
    return Role.objects.create(organization=people.organization, name="Analysts", created_by=people.alice)


def member_url(url: str, user: Any) -> str:
    return f"{url}/members/{user.uuid}/"


def test_the_list_holds_ones_own(people: People, bob: Caller, charlie: Caller) -> None:
    page = bob.get("/api/organizations/").json()
    assert [o["id"] for o in page["results"]] == [str(people.organization.pk)]
    assert page["results"][0]["membership_level"] == 1
    assert charlie.get("/api/organizations/").json()["results"][0]["membership_level"] == 15


def test_a_limited_key_lists_only_what_it_may(people: People, api: type[Caller], alice: Caller) -> None:
    other = services.create_project("Other", people.alice).organization
    people.alice.api_keys.update(scoped_organizations=[str(other.pk)])
    assert [o["name"] for o in alice.get("/api/organizations/").json()["results"]] == ["Other"]
    text = f"API key does not have access to the requested organization: ID {people.organization.pk}."
    for written in (str(people.organization.pk), people.organization.slug):
        assert envelope(alice.get(f"/api/organizations/{written}/")) == (403, "permission_denied", text, None)


def test_an_organization_has_three_names(people: People, bob: Caller) -> None:
    names = (str(people.organization.pk), people.organization.slug, "@current")
    answers = [bob.get(f"/api/organizations/{name}").json() for name in names]
    assert answers[0] == answers[1] == answers[2]
    assert [project["id"] for project in answers[0]["projects"]] == [people.project.pk]
    assert answers[0]["teams"] == answers[0]["projects"]


@pytest.mark.parametrize("written", ["nope", "0194c0de-0000-7000-8000-000000000001", "1", "%00", "@nobody"])
@pytest.mark.parametrize("below", ["", "members/", "roles/", "projects/"])
def test_what_is_not_ones_own_is_not_found(people: People, bob: Caller, written: str, below: str) -> None:
    assert envelope(bob.get(f"/api/organizations/{written}/{below}")) == NOT_FOUND
    assert envelope(bob.get(f"/api/organizations/{people.elsewhere.organization_id}/{below}")) == NOT_FOUND


def test_current_without_any_is_not_found(people: People, bob: Caller) -> None:
    Membership.objects.filter(user=people.bob).delete()
    answer = bob.get("/api/organizations/@current/")
    assert envelope(answer) == (404, "not_found", "Organization not found.", None)


def test_its_projects_are_a_page(people: People, bob: Caller, url: str) -> None:
    second = services.create_project("Second", people.alice, people.organization)
    page = bob.get(f"{url}/projects/?limit=1&offset=1").json()
    assert (page["count"], [p["id"] for p in page["results"]]) == (2, [second.pk])


def test_members_are_listed_oldest_first(people: People, bob: Caller, url: str) -> None:
    page = bob.get(f"{url}/members/").json()
    assert [(m["user"]["email"], m["level"]) for m in page["results"]] == [
        ("alice@example.com", 15),
        ("bob@example.com", 1),
        ("vera@example.com", 1),
    ]
    unfiltered = bob.get(f"{url}/members/?user__email=alice@example.com&level=15").json()
    assert unfiltered["count"] == 3, "only documented parameters filter"


@pytest.mark.parametrize("level", [Level.ADMIN, Level.OWNER, Level.MEMBER])
def test_an_owner_sets_any_level(people: People, alice: Caller, url: str, level: int) -> None:
    answer = alice.patch(member_url(url, people.bob), {"level": int(level)})
    assert (answer.status_code, answer.json()["level"]) == (200, level)
    assert Membership.objects.get(user=people.bob).level == level


@pytest.mark.parametrize(
    ("mine", "theirs", "wanted", "text"),
    [
        (1, 1, 8, "You can only edit others if you are an admin."),
        (8, 15, 1, "You can only change access level of members with level lower or equal to you."),
        (8, 1, 15, "You can only change access level of others to lower or equal to your current one."),
    ],
)
def test_nobody_reaches_above_themselves(
    people: People, bob: Caller, url: str, mine: int, theirs: int, wanted: int, text: str
) -> None:
    Membership.objects.filter(user=people.bob).update(level=mine)
    Membership.objects.filter(user=people.vera).update(level=theirs)
    answer = bob.patch(member_url(url, people.vera), {"level": wanted})
    assert envelope(answer) == (403, "permission_denied", text, None)
    assert Membership.objects.get(user=people.vera).level == theirs


def test_ones_own_level_is_for_others_to_set(people: People, alice: Caller, url: str) -> None:
    answer = alice.patch(member_url(url, people.alice), {"level": 1})
    assert envelope(answer)[:3] == (403, "permission_denied", "You can't change your own access level.")


def test_only_levels_that_exist_can_be_set(people: People, alice: Caller, url: str) -> None:
    path = member_url(url, people.bob)
    assert envelope(alice.patch(path, {"level": 9})) == (400, "invalid_choice", '"9" is not a valid choice.', "level")
    assert envelope(alice.patch(path, {"level": "x"}))[2:] == ("A valid integer is required.", "level")
    assert alice.patch(path, {}).json()["level"] == 1


def test_admins_remove_members_and_members_leave(people: People, alice: Caller, bob: Caller, url: str) -> None:
    refused = bob.delete(member_url(url, people.vera))
    assert envelope(refused) == (403, "permission_denied", "You need to have admin level or higher.", None)
    assert alice.delete(member_url(url, people.vera)).status_code == 204
    assert bob.delete(member_url(url, people.bob)).status_code == 204
    assert set(Membership.objects.filter(organization=people.organization).values_list("user", flat=True)) == {
        people.alice.pk
    }
    people.bob.refresh_from_db()
    assert people.bob.current_project is None


def test_the_last_owner_stays(people: People, alice: Caller, url: str) -> None:
    answer = alice.delete(member_url(url, people.alice))
    assert envelope(answer)[:3] == (403, "permission_denied", "An organization needs at least one owner.")


@pytest.mark.parametrize("written", ["nope", "0194c0de-0000-7000-8000-000000000001", "1"])
def test_an_unknown_member_is_not_found(people: People, alice: Caller, url: str, written: str) -> None:
    assert envelope(alice.patch(f"{url}/members/{written}/", {"level": 1})) == NOT_FOUND
    assert envelope(alice.delete(f"{url}/members/{people.charlie.uuid}/")) == NOT_FOUND


def test_a_role_lives(people: People, alice: Caller, url: str) -> None:
    made = alice.post(f"{url}/roles/", {"name": " Analysts ", "members": ["ignored"]})
    assert made.status_code == 201
    role = made.json()
    assert role.keys() == {"id", "name", "created_at", "created_by", "members", "is_default"}
    assert (role["name"], role["members"], role["is_default"]) == ("Analysts", [], False)
    assert role["created_by"]["email"] == "alice@example.com"
    path = f"{url}/roles/{role['id']}/"
    assert alice.get(path).json() == role
    assert alice.patch(path, {"name": "analysts"}).json() == role | {"name": "analysts"}
    assert alice.get(f"{url}/roles/").json()["results"] == [role | {"name": "analysts"}]
    assert alice.delete(path).status_code == 204
    assert envelope(alice.get(path)) == NOT_FOUND


def test_role_names_are_unique_whatever_their_case(alice: Caller, url: str, role: Role) -> None:
    text = "There is already a role with this name."
    assert envelope(alice.post(f"{url}/roles/", {"name": "ANALYSTS"})) == (400, "unique", text, "name")
    other = alice.post(f"{url}/roles/", {"name": "Others"}).json()["id"]
    assert envelope(alice.patch(f"{url}/roles/{other}/", {"name": "analystS"})) == (400, "unique", text, "name")


def test_a_member_joins_and_leaves_a_role(people: People, alice: Caller, url: str, role: Role) -> None:
    path = f"{url}/roles/{role.pk}/role_memberships/"
    joined = alice.post(path, {"user_uuid": str(people.bob.uuid)})
    assert joined.status_code == 201
    assert joined.json()["user"]["email"] == "bob@example.com"
    assert joined.json()["organization_member"] == str(Membership.objects.get(user=people.bob).pk)
    assert alice.get(path).json()["results"] == [joined.json()]
    assert alice.get(f"{url}/roles/{role.pk}/").json()["members"] == [joined.json()]
    again = alice.post(path, {"user_uuid": str(people.bob.uuid)})
    assert envelope(again) == (400, "invalid_input", "User is already part of the role.", "user_uuid")
    assert alice.delete(f"{path}{joined.json()['id']}").status_code == 204
    assert envelope(alice.delete(f"{path}{joined.json()['id']}")) == NOT_FOUND


@pytest.mark.parametrize("written", ["nope", "0194c0de-0000-7000-8000-000000000001"])
def test_only_members_join_roles(people: People, alice: Caller, url: str, role: Role, written: str) -> None:
    path = f"{url}/roles/{role.pk}/role_memberships/"
    for uuid in (written, str(people.charlie.uuid)):
        answer = alice.post(path, {"user_uuid": uuid})
        assert envelope(answer) == (400, "invalid_input", "User does not exist.", "user_uuid")
    assert envelope(alice.post(path, {})) == (400, "required", "This field is required.", "user_uuid")
    assert envelope(alice.get(f"{url}/roles/{written}/role_memberships/")) == NOT_FOUND


def test_members_read_roles_but_only_admins_change_them(people: People, bob: Caller, url: str, role: Role) -> None:
    one, inside = f"{url}/roles/{role.pk}/", f"{url}/roles/{role.pk}/role_memberships/"
    for path in (f"{url}/roles/", one, inside):
        assert bob.get(path).status_code == 200
    for method, path in (("POST", f"{url}/roles/"), ("PATCH", one), ("DELETE", one), ("POST", inside)):
        answer = bob.send(method, path, "not JSON")
        assert envelope(answer) == (403, "permission_denied", "You need to have admin level or higher.", None)


def test_lists_cost_a_fixed_number_of_statements(
    people: People, alice: Caller, url: str, role: Role, django_assert_max_num_queries: Any
) -> None:
    for name in ("a", "b", "c"):
        Role.objects.create(organization=people.organization, name=name)
        people_in = alice.post(f"{url}/roles/{role.pk}/role_memberships/", {"user_uuid": str(people.bob.uuid)})
        assert people_in.status_code in (201, 400)
    for below in ("roles", "members", "projects"):
        with django_assert_max_num_queries(7):
            alice.get(f"{url}/{below}/")
