"""`hedgerow admin`: users' scripts depend on these names, options and answers."""

import json

import pytest

from hedgerow.accounts.models import AccessRule, Level, Membership, PersonalAPIKey, Project, User
from tests.cli.conftest import Command

ALICE = "alice@example.com"


@pytest.fixture
def alice(hedgerow: Command) -> User:
    hedgerow("admin", "create-user", "--email", ALICE)
    return User.objects.get(email=ALICE)


@pytest.fixture
def shop(hedgerow: Command, alice: User) -> Project:
    made = hedgerow("admin", "create-project", "--name", "Shop", "--owner", ALICE, "--json")
    return Project.objects.get(id=made.data["id"])


def test_a_user_is_made_and_can_sign_in(hedgerow: Command) -> None:
    made = hedgerow("admin", "create-user", "--email", ALICE, "--password", "correct horse", "--json")

    user = User.objects.get(email=ALICE)
    assert made.data == {"id": user.pk, "email": ALICE}
    assert user.check_password("correct horse")
    assert made.code == 0


def test_a_user_without_password_is_a_service_account(hedgerow: Command) -> None:
    hedgerow("admin", "create-user", "--email", "robot@example.com")

    assert not User.objects.get(email="robot@example.com").has_usable_password()


def test_the_same_user_twice_is_refused_in_plain_words(hedgerow: Command, alice: User) -> None:
    again = hedgerow("admin", "create-user", "--email", "Alice@Example.com", "--password", "x")

    assert again.code == 1
    assert again.out == ""
    assert "Error: The user was not created." in again.err
    assert "To:   Alice@Example.com" in again.err
    assert "Why:  There is already an account with this email address." in again.err
    assert "Do:   " in again.err
    assert "More: docs/reference/errors.md#invalid_input" in again.err


def test_a_failure_is_json_where_json_was_asked_for(hedgerow: Command, alice: User) -> None:
    again = hedgerow("admin", "create-user", "--email", ALICE, "--json")

    error = json.loads(again.err)["error"]
    assert set(error) == {"what", "which", "why", "do", "more"}
    assert error["which"] == ALICE


@pytest.mark.parametrize("words", [("--json", "admin", "create-user"), ("admin", "--json", "create-user")])
def test_json_may_stand_before_the_command_too(hedgerow: Command, words: tuple[str, ...]) -> None:
    assert hedgerow(*words, "--email", ALICE).data["email"] == ALICE


def test_a_project_gets_a_new_organization_of_its_owner(hedgerow: Command, alice: User) -> None:
    made = hedgerow("admin", "create-project", "--name", "Shop", "--owner", ALICE, "--json")

    project = Project.objects.get(id=made.data["id"])
    assert made.data == {"id": project.pk, "organization": str(project.organization_id), "name": "Shop"}
    assert Membership.objects.get(user=alice, organization=project.organization).level == Level.OWNER


def test_a_project_may_join_an_organization(hedgerow: Command, shop: Project) -> None:
    made = hedgerow(
        "admin", "create-project", "--name", "Two", "--owner", ALICE, "--organization", shop.organization_id, "--json"
    )

    assert made.data["organization"] == str(shop.organization_id)
    assert Membership.objects.filter(organization=shop.organization).count() == 1


def test_the_last_project_made_for_a_user_is_the_current_one(hedgerow: Command, alice: User, shop: Project) -> None:
    made = hedgerow("admin", "create-project", "--name", "Two", "--owner", ALICE, "--json")

    alice.refresh_from_db()
    assert alice.current_project_id == made.data["id"] != shop.pk


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--owner", "nobody@example.com"), "There is no user nobody@example.com."),
        (("--owner", ALICE, "--organization", "x"), "There is no organization x."),
        (
            ("--owner", ALICE, "--organization", "0194c0de-0000-7000-8000-000000000001"),
            "There is no organization 0194c0de-0000-7000-8000-000000000001.",
        ),
    ],
)
def test_what_does_not_exist_is_named(hedgerow: Command, alice: User, options: tuple[str, ...], why: str) -> None:
    refused = hedgerow("admin", "create-project", "--name", "Shop", *options)

    assert refused.code == 1
    assert why in refused.err
    assert not Project.objects.exists()


def test_an_owner_from_outside_joins_the_organization(hedgerow: Command, shop: Project) -> None:
    hedgerow("admin", "create-user", "--email", "bob@example.com")

    hedgerow(
        "admin", "create-project", "--name", "Two", "--owner", "bob@example.com",
        "--organization", shop.organization_id,
    )  # fmt: skip

    assert Membership.objects.get(user__email="bob@example.com").level == Level.OWNER


@pytest.mark.parametrize(
    ("name", "why"), [(" ", "This field may not be blank."), ("x" * 201, "no more than 200 characters")]
)
def test_a_project_needs_a_usable_name(hedgerow: Command, alice: User, name: str, why: str) -> None:
    refused = hedgerow("admin", "create-project", "--name", name, "--owner", ALICE)

    assert refused.code == 1
    assert why in refused.err
    assert not Project.objects.exists()


@pytest.mark.parametrize(
    ("level", "stored"),
    [("viewer", Level.MEMBER), ("member", Level.MEMBER), ("admin", Level.ADMIN), ("owner", Level.OWNER)],
)
def test_a_member_is_added_with_a_level(hedgerow: Command, shop: Project, level: str, stored: Level) -> None:
    hedgerow("admin", "create-user", "--email", "bob@example.com")

    added = hedgerow(
        "admin", "add-member", "--project", shop.pk, "--email", "bob@example.com", "--level", level, "--json"
    )

    membership = Membership.objects.get(user__email="bob@example.com")
    assert (membership.organization_id, membership.level) == (shop.organization_id, stored)
    assert AccessRule.objects.filter(membership=membership, level="viewer").exists() == (level == "viewer")
    assert added.data == {"project": shop.pk, "email": "bob@example.com", "level": level}


def test_an_unknown_level_is_a_wrong_use(hedgerow: Command, shop: Project) -> None:
    refused = hedgerow("admin", "add-member", "--project", shop.pk, "--email", ALICE, "--level", "king")

    assert refused.code == 2
    assert "'viewer', 'member', 'admin', 'owner'" in refused.err


def test_a_key_is_made_and_its_value_shown_once(hedgerow: Command, alice: User, shop: Project) -> None:
    made = hedgerow(
        "admin", "create-key", "--email", ALICE, "--label", "nightly",
        "--scopes", "external_data_source:write, query:read", "--json",
    )  # fmt: skip

    key = PersonalAPIKey.objects.get()
    assert set(made.data) == {"id", "value"}
    assert made.data["id"] == key.pk
    assert made.data["value"].startswith("phx_")
    assert (key.label, key.scopes) == ("nightly", ["external_data_source:write", "query:read"])
    assert made.data["value"] not in str(vars(key))


@pytest.mark.parametrize("as_typed", [("--project", "{0}", "--project", "{1}"), ("--project", "{0}", "{1}")])
def test_a_key_may_be_limited_to_projects(hedgerow: Command, shop: Project, as_typed: tuple[str, ...]) -> None:
    two = hedgerow("admin", "create-project", "--name", "Two", "--owner", ALICE, "--json").data["id"]
    limits = [word.format(shop.pk, two) for word in as_typed]

    hedgerow("admin", "create-key", "--email", ALICE, "--label", "x", "--scopes", "*", *limits)

    assert PersonalAPIKey.objects.get().scoped_teams == [shop.pk, two]


def test_words_that_belong_to_nothing_are_a_wrong_use(hedgerow: Command, alice: User) -> None:
    refused = hedgerow("admin", "create-key", "--email", ALICE, "--label", "x", "--scopes", "*", "7")

    assert refused.code == 2
    assert not PersonalAPIKey.objects.exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--label", "x", "--scopes", "insight:fly"), "Invalid scope: insight:fly"),
        (("--label", "x", "--scopes", ","), "This field is required."),
        (("--label", "x" * 41, "--scopes", "*"), "Ensure this field has no more than 40 characters."),
        (("--label", "", "--scopes", "*"), "This field may not be blank."),
        (("--label", "x", "--scopes", "*", "--project", "999"), "There is no project 999."),
    ],
)
def test_a_bad_key_is_refused(hedgerow: Command, alice: User, options: tuple[str, ...], why: str) -> None:
    refused = hedgerow("admin", "create-key", "--email", ALICE, *options)

    assert refused.code == 1
    assert why in refused.err
    assert not PersonalAPIKey.objects.exists()


def test_a_key_cannot_be_limited_to_a_strangers_project(hedgerow: Command, shop: Project) -> None:
    hedgerow("admin", "create-user", "--email", "charlie@example.com")

    refused = hedgerow(
        "admin", "create-key", "--email", "charlie@example.com", "--label", "x", "--scopes", "*", "--project", shop.pk
    )

    assert refused.code == 1
    assert "You must be a member of all teams that you are scoping the key to." in refused.err
