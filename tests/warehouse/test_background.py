"""Queries in the background: their statuses, cancelling, and what a restart leaves of them."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hedgerow.accounts.access import Actor
from hedgerow.core.clock import now
from hedgerow.core.errors import NotFoundError
from hedgerow.warehouse import background, query
from hedgerow.warehouse.models import QueryRun
from hedgerow.warehouse.query import Question
from tests.support.people import People

pytestmark = pytest.mark.django_db(transaction=True)
ActingAs = Callable[..., Actor]
ENDLESS = "SELECT count() FROM numbers(1000000000000)"


@pytest.fixture
def alice(people: People, acting: ActingAs) -> Actor:
    return acting(people.alice, people.project)


def start(actor: Actor, sql: str, query_id: str = "mine") -> QueryRun:
    return background.start(query.prepare(actor, Question(sql, {}, "async", query_id)))


def ended(actor: Actor, query_id: str = "mine") -> QueryRun:
    deadline = time.monotonic() + 20
    while (run := background.find(actor, query_id)).state in background.UNDER_WAY:
        assert time.monotonic() < deadline, run.state
        time.sleep(0.01)
    return run


def running(actor: Actor, query_id: str = "mine") -> QueryRun:
    deadline = time.monotonic() + 20
    while (run := background.find(actor, query_id)).state != background.RUNNING:
        assert time.monotonic() < deadline, run.state
        time.sleep(0.01)
    return run


def test_the_status_holds_the_whole_answer_when_complete(alice: Actor) -> None:
    assert start(alice, "SELECT 1").state == background.QUEUED
    run = ended(alice)
    assert (run.state, run.error_message) == (background.COMPLETE, "")
    assert json.loads(run.results)["results"] == [[1]]
    assert run.start_time <= run.pickup_time <= run.end_time < run.expiration_time  # type: ignore[operator]


def test_a_mistake_of_the_asker_is_told(alice: Actor) -> None:
    start(alice, "SELECT nope")
    run = ended(alice)
    assert (run.state, run.error_is_users, run.error_message) == (
        background.FAILED,
        True,
        "Unable to resolve field: nope",
    )


def test_a_fault_of_ours_is_not_explained(alice: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> dict[str, Any]:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(query, "run", broken)
    start(alice, "SELECT 1")
    run = ended(alice)
    assert (run.state, run.error_is_users, run.error_message) == (background.FAILED, False, "A server error occurred.")


def test_an_id_that_is_still_under_way_is_not_run_twice(alice: Actor) -> None:
    first = start(alice, ENDLESS)
    assert start(alice, "SELECT 2").pk == first.pk
    background.cancel(alice, "mine")
    ended(alice)
    assert start(alice, "SELECT 3").pk != first.pk
    assert json.loads(ended(alice).results)["results"] == [[3]]


def test_cancelling_ends_a_running_query(alice: Actor) -> None:
    start(alice, ENDLESS)
    running(alice)
    background.cancel(alice, "mine")
    run = ended(alice)
    assert (run.state, run.error_message) == (background.CANCELLED, "The query was cancelled.")
    start(alice, "SELECT 1", "next")
    assert ended(alice, "next").state == background.COMPLETE


def test_cancelling_reaches_queries_that_still_wait(alice: Actor) -> None:
    for number in range(4):
        start(alice, ENDLESS, str(number))
    for number in (3, 2, 1, 0):
        background.cancel(alice, str(number))
    assert {ended(alice, str(number)).state for number in range(4)} == {background.CANCELLED}


def test_cancelling_something_unknown_or_finished_is_no_error(alice: Actor) -> None:
    background.cancel(alice, "nothing")
    start(alice, "SELECT 1")
    ended(alice)
    background.cancel(alice, "mine")
    assert background.find(alice, "mine").state == background.COMPLETE


def test_ids_are_a_persons_own_in_a_project(people: People, alice: Actor, acting: ActingAs) -> None:
    start(alice, "SELECT 1")
    for other in (acting(people.bob, people.project), acting(people.charlie, people.elsewhere)):
        with pytest.raises(NotFoundError) as caught:
            background.find(other, "mine")
        assert caught.value.message == f"Query mine not found for team {other.project.pk}"  # type: ignore[union-attr]
    bob = acting(people.bob, people.project)
    start(bob, "SELECT 2")
    assert json.loads(ended(bob).results)["results"] == [[2]]
    assert json.loads(ended(alice).results)["results"] == [[1]]


def test_a_status_is_kept_twenty_minutes(alice: Actor) -> None:
    run = start(alice, "SELECT 1")
    assert run.expiration_time - run.start_time == pytest.approx(timedelta(minutes=20), abs=timedelta(seconds=1))
    ended(alice)
    QueryRun.objects.update(expiration_time=now() - timedelta(seconds=1))
    with pytest.raises(NotFoundError):
        background.find(alice, "mine")
    start(alice, "SELECT 2", "other")
    assert not QueryRun.objects.filter(query_id="mine").exists()
    ended(alice, "other")


def test_a_status_outlives_the_server_and_a_lost_query_is_told_as_failed(people: People, alice: Actor) -> None:
    """A row of an earlier server process: same host, and its process id is another's now, or nobody's."""
    own = background._holder()
    host, process_id, _ = own.rsplit("/", 2)
    for holder in (f"{host}/{process_id}/another-life", f"{host}/4194305/gone"):
        QueryRun.objects.all().delete()
        QueryRun.objects.create(
            project=people.project, user=people.alice, query_id="mine", state=background.RUNNING, holder=holder,
            expiration_time=now() + background.KEPT,
        )  # fmt: skip
        run = background.find(alice, "mine")
        assert (run.state, run.error_is_users, run.error_message) == (background.FAILED, True, background.LOST)
        assert QueryRun.objects.get().state == background.FAILED
    assert start(alice, "SELECT 1").pk != run.pk
    ended(alice)


def test_a_complete_answer_of_an_earlier_server_is_still_there(people: People, alice: Actor) -> None:
    QueryRun.objects.create(
        project=people.project, user=people.alice, query_id="mine", state=background.COMPLETE, holder="host/1/x",
        results='{"results": [[1]]}', expiration_time=now() + background.KEPT,
    )  # fmt: skip
    assert json.loads(background.find(alice, "mine").results) == {"results": [[1]]}


def test_a_server_elsewhere_is_left_to_its_work(people: People, alice: Actor) -> None:
    QueryRun.objects.create(
        project=people.project, user=people.alice, query_id="mine", state=background.RUNNING, holder="elsewhere/1/x",
        expiration_time=now() + background.KEPT,
    )  # fmt: skip
    assert background.find(alice, "mine").state == background.RUNNING
