"""Where a key is looked for, and what is said about a bad one."""

import pytest

from hedgerow.accounts import keys
from hedgerow.accounts.models import PersonalAPIKey, User
from tests.api.conftest import Caller, envelope
from tests.support.people import People

INVALID = "Personal API key found in request {} is invalid."
NO_KEY = (401, "not_authenticated", "Authentication credentials were not provided.", None)
FORM = "application/x-www-form-urlencoded"


def bad(place: str) -> tuple[int, str, str, None]:
    return 401, "authentication_failed", INVALID.format(place), None


@pytest.mark.parametrize("written", ["Bearer {}", "bearer {}", "BEARER   {}  ", "  Bearer {}\n", "Bearer \t{}"])
def test_a_key_in_the_header_works_however_it_is_spaced(
    people: People, api: type[Caller], base: str, written: str
) -> None:
    header = written.format(people.keys["bob"])
    assert api().get(base, headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "", "   "])
def test_nothing_after_bearer_is_no_key(api: type[Caller], base: str, header: str) -> None:
    assert envelope(api().get(base, headers={"Authorization": header})) == NO_KEY


@pytest.mark.parametrize(
    "value", ["phx_nope", "phx_ nope", "x" * 10_000, "ключ".encode().decode("latin-1"), "\xff\xfe", "a, Bearer b"]
)
def test_any_unknown_value_is_invalid(api: type[Caller], base: str, value: str) -> None:
    answer = api().get(base, HTTP_AUTHORIZATION=f"Bearer {value}")
    assert envelope(answer) == bad("Authorization header")
    assert answer.json()["type"] == "authentication_error"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Basic", "Token", "Digest"])
def test_another_scheme_is_passed_over(people: People, api: type[Caller], base: str, scheme: str) -> None:
    header = {"Authorization": f"{scheme} abc"}
    assert envelope(api().get(base, headers=header)) == NO_KEY
    assert api().get(f"{base}?personal_api_key={people.keys['bob']}", headers=header).status_code == 200


def test_a_key_in_the_body_or_the_query_works(people: People, api: type[Caller], base: str) -> None:
    key = people.keys["alice"]
    for answer in (
        api().patch(base, {"personal_api_key": f" {key}\n", "name": "A"}),
        api().patch(base, f"personal_api_key={key}&name=B", content_type=FORM),
        api().patch(f"{base}?personal_api_key={key}", {"name": "C"}),
        api().patch(f"{base}?personal_api_key={key}", ["a list"]),
    ):
        assert answer.status_code in (200, 400), answer.content
        assert key not in answer.content.decode()
    people.project.refresh_from_db()
    assert people.project.name == "C"


def test_only_the_first_place_that_holds_a_key_is_tried(people: People, api: type[Caller], base: str) -> None:
    good = people.keys["alice"]
    query = f"{base}?personal_api_key={good}"
    assert envelope(api("phx_bad").patch(query, {"personal_api_key": good})) == bad("Authorization header")
    assert envelope(api().patch(query, {"personal_api_key": "phx_bad"})) == bad("body")
    assert envelope(api().patch(f"{base}?personal_api_key=phx_bad", {})) == bad("query string")
    assert api().patch(query, {"personal_api_key": ""}).status_code == 200
    assert api().patch(query, {"personal_api_key": 5}).status_code == 200


def test_a_body_that_cannot_be_read_holds_no_key(people: People, api: type[Caller], base: str) -> None:
    assert envelope(api().patch(base, "{")) == NO_KEY
    assert envelope(api().patch(base, "x", content_type="text/plain")) == NO_KEY
    assert envelope(api().patch(f"{base}?personal_api_key={people.keys['alice']}", "{"))[1] == "parse_error"


def test_the_key_of_a_deactivated_owner_is_unknown(people: People, bob: Caller, base: str) -> None:
    User.objects.filter(pk=people.bob.pk).update(is_active=False)
    assert envelope(bob.get(base)) == bad("Authorization header")


def test_a_rolled_or_deleted_key_stops_at_once(people: People, bob: Caller, base: str) -> None:
    row = PersonalAPIKey.objects.get(user=people.bob)
    keys.roll(row)
    assert envelope(bob.get(base)) == bad("Authorization header")


def test_use_is_noted(people: People, bob: Caller, base: str) -> None:
    bob.get(base)
    assert PersonalAPIKey.objects.get(user=people.bob).last_used_at is not None
    assert PersonalAPIKey.objects.get(user=people.alice).last_used_at is None
