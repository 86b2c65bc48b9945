"""Projects: who sees them, who may change them."""

from typing import Any

import pytest

from hedgerow.accounts import services
from hedgerow.accounts.models import AccessRule, Membership
from tests.api.conftest import Caller, envelope
from tests.support.people import People

BASIC = {
    "id",
    "uuid",
    "organization",
    "project_id",
    "api_token",
    "name",
    "completed_snippet_onboarding",
    "has_completed_onboarding_for",
    "ingested_event",
    "is_demo",
    "timezone",
    "access_control",
}
WHOLE = BASIC | {
    "created_at",
    "updated_at",
    "user_access_level",
    "effective_membership_level",
    "base_currency",
    "revenue_analytics_config",
}


@pytest.mark.parametrize("prefix", ["projects", "environments"])
def test_the_list_holds_what_one_can_see(people: People, bob: Caller, charlie: Caller, prefix: str) -> None:
    mine = bob.get(f"/api/{prefix}/").json()
    assert mine.keys() == {"count", "next", "previous", "results"}
    assert [p["id"] for p in mine["results"]] == [people.project.pk]
    assert mine["results"][0].keys() == BASIC
    assert [p["id"] for p in charlie.get(f"/api/{prefix}/").json()["results"]] == [people.elsewhere.pk]


def test_the_list_holds_what_the_key_allows(people: People, api: type[Caller]) -> None:
    second = services.create_project("Second", people.alice, people.organization)
    other = services.create_project("Other", people.alice)
    key = people.key(people.alice, projects=[second])
    assert [p["id"] for p in api(key).get("/api/projects/").json()["results"]] == [second.pk]
    assert api(people.keys["alice"]).get("/api/projects/").json()["count"] == 3
    people.alice.api_keys.update(scoped_teams=[], scoped_organizations=[str(other.organization_id)])
    assert [p["id"] for p in api(key).get("/api/projects/").json()["results"]] == [other.pk]


def test_a_project_has_one_environment_with_its_id(people: People, bob: Caller) -> None:
    project, environment = (bob.get(f"/api/{p}/{people.project.pk}").json() for p in ("projects", "environments"))
    assert project == environment
    assert project.keys() == WHOLE
    assert project["project_id"] == project["id"] == people.project.pk
    assert project["organization"] == str(people.organization.pk)
    assert project["base_currency"] == "USD"


@pytest.mark.parametrize(
    ("who", "level", "membership"), [("alice", "admin", 15), ("bob", "admin", 1), ("vera", "admin", 1)]
)
def test_it_tells_ones_own_level(
    people: People, api: type[Caller], base: str, who: str, level: str, membership: int
) -> None:
    project = api(people.keys[who]).get(base).json()
    assert (project["user_access_level"], project["effective_membership_level"]) == (level, membership)


@pytest.mark.parametrize(("rule", "membership"), [("member", 1), ("admin", 8)])
def test_rules_of_the_project_show_in_the_level(
    people: People, bob: Caller, base: str, rule: str, membership: int
) -> None:
    AccessRule.objects.create(
        project=people.project,
        resource="project",
        object_id=str(people.project.pk),
        membership=Membership.objects.get(user=people.bob),
        level=rule,
    )
    project = bob.get(base).json()
    assert (project["user_access_level"], project["effective_membership_level"]) == (rule, membership)
    assert bob.patch(base, {"name": "x"}).status_code == (200 if rule == "admin" else 403)


def test_a_patch_changes_only_what_it_names(alice: Caller, base: str) -> None:
    before = alice.get(base).json()
    after = alice.patch(base, {"base_currency": "eur", "id": 5, "organization": "x", "api_token": "x"})
    assert after.status_code == 200
    assert after.json()["base_currency"] == "EUR"
    assert after.json()["revenue_analytics_config"]["base_currency"] == "EUR"
    same = WHOLE - {"base_currency", "revenue_analytics_config", "updated_at"}
    assert {name: after.json()[name] for name in same} == {name: before[name] for name in same}
    assert alice.patch(base, {"timezone": "Europe/Berlin"}).json()["timezone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("change", "code", "text", "attr"),
    [
        ({"base_currency": "XXX"}, "invalid_choice", '"XXX" is not a valid choice.', "base_currency"),
        ({"base_currency": None}, "null", "This field may not be null.", "base_currency"),
        ({"base_currency": ""}, "blank", "This field may not be blank.", "base_currency"),
        ({"timezone": "Moon/Crater"}, "invalid_choice", '"Moon/Crater" is not a valid choice.', "timezone"),
        ({"name": ""}, "blank", "This field may not be blank.", "name"),
        ({"name": "x" * 201}, "max_length", "Ensure this field has no more than 200 characters.", "name"),
        ({"name": ["x"]}, "invalid_input", "Not a valid string.", "name"),
    ],
)
def test_a_bad_patch_changes_nothing(
    alice: Caller, base: str, change: dict[str, Any], code: str, text: str, attr: str
) -> None:
    before = alice.get(base).json()
    answer = alice.patch(base, {"name": "New"} | change)
    assert envelope(answer) == (400, code, text, attr)
    assert answer.json()["message"] == text
    assert alice.get(base).json() == before


@pytest.mark.parametrize("who", ["bob", "vera"])
def test_only_admins_change_a_project(people: People, api: type[Caller], base: str, who: str) -> None:
    answer = api(people.keys[who]).patch(base, "not JSON")
    assert envelope(answer) == (403, "permission_denied", "You do not have admin access to this resource.", None)
