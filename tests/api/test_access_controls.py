"""Rules over HTTP, on sources, on whole kinds and on the project."""

from typing import Any

import pytest

from hedgerow.accounts.models import AccessRule, Membership, Role
from hedgerow.sources.models import Source
from tests.api.conftest import Caller, envelope
from tests.support.people import People

ALL = ["none", "viewer", "editor", "manager"]


@pytest.fixture
def source(people: People) -> Source:
    """Bob's."""
    return Source.objects.create(project=people.project, source_type="Postgres", created_by=people.bob)


@pytest.fixture
def url(base: str, source: Source) -> str:
    return f"{base}/external_data_sources/{source.pk}/access_controls/"


@pytest.fixture
def vera_id(people: People) -> str:
    return str(Membership.objects.get(user=people.vera).pk)


def test_a_rule_is_set_replaced_shown_and_removed(
    people: People, alice: Caller, url: str, source: Source, vera_id: str
) -> None:
    empty = alice.get(url).json()
    assert empty == {
        "access_controls": [],
        "available_access_levels": ALL,
        "default_access_level": "editor",
        "user_access_level": "manager",
        "user_can_edit_access_levels": True,
    }
    first = alice.put(url, {"access_level": "viewer", "organization_member": vera_id})
    assert first.status_code == 200
    rule = first.json()
    assert rule | {"created_at": "", "updated_at": ""} == {
        "access_level": "viewer",
        "resource": "external_data_source",
        "resource_id": str(source.pk),
        "organization_member": vera_id,
        "role": None,
        "created_by": people.alice.pk,
        "created_at": "",
        "updated_at": "",
    }
    second = alice.put(url, {"access_level": "editor", "organization_member": vera_id}).json()
    assert (second["access_level"], second["created_at"]) == ("editor", rule["created_at"])
    assert alice.get(url).json()["access_controls"] == [second]
    removed = alice.put(url, {"access_level": None, "organization_member": vera_id})
    assert (removed.status_code, removed.content) == (204, b"")
    assert alice.get(url).json() == empty


def test_rules_take_effect_on_the_next_request(
    people: People, api: type[Caller], vera: Caller, bob: Caller, url: str, vera_id: str
) -> None:
    assert vera.get(url).json()["user_access_level"] == "viewer"
    assert vera.get(url).json()["user_can_edit_access_levels"] is False
    assert bob.put(url, {"access_level": "none", "organization_member": vera_id}).status_code == 200, "his own source"
    text = "You do not have viewer access to this resource."
    assert envelope(vera.get(url)) == (403, "permission_denied", text, None)
    bob.put(url, {"access_level": "manager", "organization_member": vera_id})
    assert vera.get(url).json()["user_can_edit_access_levels"] is True


@pytest.mark.parametrize("body", [{"access_level": "viewer"}, {"access_level": "owner"}, {}])
def test_only_managers_change_rules(vera: Caller, url: str, body: dict[str, Any]) -> None:
    text = "Must be manager to modify external_data_source permissions."
    assert envelope(vera.put(url, body)) == (403, "permission_denied", text, None)
    assert not AccessRule.objects.exclude(object_id="").exists()


def test_mistakes_are_named(people: People, alice: Caller, url: str, vera_id: str) -> None:
    role = str(Role.objects.create(organization=people.organization, name="r").pk)
    stranger = str(Membership.objects.get(user=people.charlie).pk)
    levels = "Invalid access level. Must be one of: none, viewer, editor, manager"
    cases = [
        ({}, "required", "This field is required.", "access_level"),
        ({"access_level": "admin"}, "invalid_input", levels, "access_level"),
        (
            {"access_level": "viewer", "organization_member": vera_id, "role": role},
            "invalid_input",
            "You can not scope an access control to both a member and a role.",
            None,
        ),
        (
            {"access_level": "viewer", "organization_member": stranger},
            "does_not_exist",
            f'Invalid pk "{stranger}" - object does not exist.',
            "organization_member",
        ),
    ]
    for body, code, text, attr in cases:
        assert envelope(alice.put(url, body)) == (400, code, text, attr)


@pytest.mark.parametrize("written", ["nope", "0194c0de-0000-7000-8000-000000000001", "1"])
def test_an_unknown_object_is_not_found(people: People, alice: Caller, base: str, written: str) -> None:
    foreign = Source.objects.create(project=people.elsewhere, source_type="Postgres")
    for pk in (written, str(foreign.pk)):
        for below in ("access_controls", "users_with_access"):
            answer = alice.get(f"{base}/external_data_sources/{pk}/{below}/")
            assert envelope(answer) == (404, "not_found", "Not found.", None)


def test_who_has_access_and_why(people: People, alice: Caller, base: str, source: Source, vera_id: str) -> None:
    found = alice.get(f"{base}/external_data_sources/{source.pk}/users_with_access").json()
    assert found["total_count"] == 3
    assert found["users"][1:] == [
        {
            "user_id": people.bob.pk,
            "access_level": "manager",
            "access_source": "creator",
            "organization_membership_id": str(Membership.objects.get(user=people.bob).pk),
            "organization_membership_level": 1,
        },
        {
            "user_id": people.vera.pk,
            "access_level": "viewer",
            "access_source": "explicit_member",
            "organization_membership_id": vera_id,
            "organization_membership_level": 1,
        },
    ]


def test_a_creator_demoted_for_the_kind_keeps_what_is_theirs(people: People, bob: Caller, url: str) -> None:
    AccessRule.objects.create(project=people.project, resource="external_data_source", level="none")
    assert bob.get(url).json()["user_access_level"] == "manager"
    unknown = url.replace(url.split("/")[5], "0194c0de-0000-7000-8000-000000000001")
    assert envelope(bob.get(unknown))[0] == 403


def test_levels_of_whole_kinds(people: People, alice: Caller, bob: Caller, base: str) -> None:
    url = f"{base}/resource_access_controls/"
    vera_rules = len(alice.get(url).json()["access_controls"])
    rule = alice.put(url, {"resource": "insight", "access_level": "none"}).json()
    assert (rule["resource"], rule["resource_id"], rule["access_level"]) == ("insight", None, "none")
    shown = bob.get(url).json()
    assert len(shown["access_controls"]) == vera_rules + 1
    assert (shown["available_access_levels"], shown["user_can_edit_access_levels"]) == (ALL, False)
    text = "Must be an Organization admin to modify project-wide permissions."
    for body in ({"resource": "insight", "access_level": "none"}, {"resource": "nope"}, "not JSON"):
        assert envelope(bob.put(url, body)) == (403, "permission_denied", text, None)
    unknown = alice.put(url, {"resource": "nope", "access_level": "none"})
    assert envelope(unknown) == (400, "invalid_choice", '"nope" is not a valid choice.', "resource")
    assert envelope(alice.put(url, {"access_level": "none"})) == (
        400,
        "required",
        "This field is required.",
        "resource",
    )


def test_the_projects_own_rules(people: People, alice: Caller, bob: Caller, base: str) -> None:
    url = f"{base.replace('environments', 'projects')}/access_controls/"
    shown = alice.get(url).json()
    assert shown["available_access_levels"] == ["none", "member", "admin"]
    assert (shown["default_access_level"], shown["user_access_level"]) == ("admin", "admin")
    member = str(Membership.objects.get(user=people.bob).pk)
    text = "Must be admin to modify project permissions."
    for body in ({"access_level": "admin"}, "not JSON"):
        assert envelope(bob.put(url, body)) == (403, "permission_denied", text, None)
    assert alice.put(url, {"access_level": "member", "organization_member": member}).json()["resource_id"] == str(
        people.project.pk
    )
    assert bob.get(url).json()["user_access_level"] == "member"
    alice.put(url, {"access_level": "none", "organization_member": member})
    assert envelope(bob.get(url)) == (404, "not_found", "Project not found.", None)


def test_a_table_follows_its_source_and_can_be_opened_by_itself(
    people: People, alice: Caller, bob: Caller, base: str
) -> None:
    url = f"{base}/resource_access_controls/"
    alice.put(url, {"resource": "external_data_source", "access_level": "none"})
    answer = bob.get(f"{base}/warehouse_tables/")
    assert (answer.status_code, answer.json()["count"]) == (200, 0)
