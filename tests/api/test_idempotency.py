"""A POST repeated with its Idempotency-Key runs once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection

from hedgerow.accounts import organizations
from hedgerow.accounts.models import Role
from hedgerow.api import idempotency
from hedgerow.api.models import FirstAnswer
from hedgerow.core import clock
from hedgerow.core.errors import BrokenError
from tests.api.conftest import Caller, envelope
from tests.support.people import People

Post = Callable[..., Any]


@pytest.fixture
def roles(people: People) -> str:
    return f"/api/organizations/{people.organization.pk}/roles/"


@pytest.fixture
def post(alice: Caller, roles: str) -> Post:
    """Alice makes a role with an Idempotency-Key."""

    def send(name: str = "Editors", key: str = "k1", caller: Caller = alice, **more: Any) -> Any:
        return caller.post(roles, {"name": name, **more}, headers={"Idempotency-Key": key})

    return send


def test_a_repeat_gets_the_first_answer(post: Post) -> None:
    first, repeat = post(), post()
    assert (first.status_code, repeat.status_code) == (201, 201)
    assert first.json() == repeat.json()
    assert "Idempotency-Replayed" not in first.headers
    assert repeat.headers["Idempotency-Replayed"] == "true"
    assert Role.objects.count() == 1


def test_without_the_header_every_post_runs(alice: Caller, roles: str) -> None:
    assert alice.post(roles, {"name": "Editors"}).status_code == 201
    assert envelope(alice.post(roles, {"name": "Editors"}))[1] == "unique"


def test_another_body_with_the_same_key_is_a_conflict(post: Post) -> None:
    post()
    answer = post("Others")
    assert envelope(answer)[:2] == (409, "conflict")
    assert answer.json()["type"] == "server_error"
    assert Role.objects.count() == 1


def test_the_order_of_members_and_the_place_of_the_key_do_not_matter(
    people: People, api: type[Caller], roles: str
) -> None:
    key = people.keys["alice"]
    header = {"Idempotency-Key": "k"}
    first = api().post(roles, {"name": "A", "x": 1, "personal_api_key": key}, headers=header)
    second = api(key).post(roles, {"x": 1, "name": "A"}, headers=header)
    assert first.json() == second.json()


def test_owners_and_routes_do_not_share_keys(people: People, alice: Caller, api: type[Caller], post: Post) -> None:
    people.organization.memberships.filter(user=people.bob).update(level=8)
    mine = post()
    theirs = post("Others", caller=api(people.keys["bob"]))
    assert theirs.status_code == 201
    members = f"/api/organizations/{people.organization.pk}/roles/{mine.json()['id']}/role_memberships/"
    answer = alice.post(members, {"user_uuid": str(people.vera.uuid)}, headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 201


def test_the_answer_to_a_bad_request_is_repeated_too(post: Post) -> None:
    first, repeat = post(""), post("")
    assert first.json() == repeat.json()
    assert (repeat.status_code, repeat.headers["Idempotency-Replayed"]) == (400, "true")


def test_after_a_failure_of_the_server_the_repeat_runs(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:

        def fail(*args: object) -> None:
            raise BrokenError("disk full")

        broken.setattr(organizations, "create_role", fail)
        assert post().status_code == 500
    assert post().status_code == 201


def test_refusals_before_the_body_are_not_kept(people: People, bob: Caller, post: Post) -> None:
    assert post(caller=bob).status_code == 403
    people.organization.memberships.filter(user=people.bob).update(level=8)
    assert post(caller=bob).status_code == 201


def test_after_a_day_the_key_is_free(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post()
    later = clock.now() + timedelta(hours=24, seconds=1)
    monkeypatch.setattr(idempotency, "now", lambda: later)
    assert post("Others").status_code == 201


def test_a_first_request_that_died_does_not_block_for_ever(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "LONGEST_WAIT", 0.0)
    post()
    FirstAnswer.objects.update(status=None)
    assert envelope(post())[:2] == (409, "conflict")
    FirstAnswer.objects.update(created_at=clock.now() - timedelta(minutes=6))
    assert envelope(post())[1] == "unique", "it ran again"


def test_neither_body_nor_answer_is_stored_in_the_clear(post: Post) -> None:
    post("Hedgehogs")
    assert "Hedgehogs" not in str(list(FirstAnswer.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_runs_and_the_other_waits(
    people: People, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go = Event(), Event()
    really = organizations.create_role

    def slowly(*args: Any) -> Role:
        entered.set()
        assert go.wait(10)
        return really(*args)

    monkeypatch.setattr(organizations, "create_role", slowly)

    def send() -> tuple[int, str, bool]:
        try:
            answer = post(caller=Caller(people.keys["alice"]))
            return answer.status_code, answer.json()["id"], "Idempotency-Replayed" in answer.headers
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(send)
        assert entered.wait(10)
        entered.clear()
        second = threads.submit(send)
        assert not entered.wait(0.3), "the repeat must not run"
        go.set()
        answers = [first.result(), second.result()]
    assert answers[0][:2] == answers[1][:2]
    assert [replayed for _, _, replayed in answers] == [False, True]
    assert Role.objects.count() == 1
