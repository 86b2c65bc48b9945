"""GET external_data_sources/: lists, single sources, jobs; what they cost and who sees what."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hedgerow.accounts.models import AccessRule, Membership
from hedgerow.core.ids import uuid7
from hedgerow.sources import settings
from hedgerow.sources.models import Source, SourceTable
from hedgerow.sync.models import Run
from hedgerow.warehouse.models import Table
from tests.api.conftest import Caller, envelope
from tests.api.sources import create, give_data, table_of
from tests.support.fake_connector import NAME, FakeConnector, settings_of
from tests.support.people import People

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def sources(base: str) -> str:
    return f"{base}/external_data_sources/"


def ids(answer: Any) -> list[str]:
    return [s["id"] for s in answer.json()["results"]]


def many_sources(people: People, number: int, tables: int) -> None:
    """Sources as big installations have them, straight into the database."""
    sealed = settings.seal(settings_of())
    made = Source.objects.bulk_create(
        Source(project=people.project, source_type=NAME, prefix=f"p{n}", prefix_key=f"p{n}", sealed_settings=sealed)
        for n in range(number)
    )
    columns = [{"name": f"c{n}", "type": "string"} for n in range(14)]
    for source in made:
        synced = Table.objects.bulk_create(
            Table(project=people.project, name=f"{source.prefix}_{n}", location=str(uuid7()), columns=columns)
            for n in range(tables)
        )
        SourceTable.objects.bulk_create(
            SourceTable(source=source, name=f"t{n}", table=table, sync_type="full_refresh")
            for n, table in enumerate(synced)
        )


def test_the_newest_source_comes_first(alice: Caller, base: str, sources: str) -> None:
    made = [create(alice, base, prefix=f"p{n}")["id"] for n in range(3)]
    assert ids(alice.get(sources)) == made[::-1]


def test_pages_neither_overlap_nor_skip(alice: Caller, sources: str, people: People) -> None:
    many_sources(people, 5, 1)
    Source.objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    seen, page = [], alice.get(f"{sources}?limit=2").json()
    while page:
        seen += [s["id"] for s in page["results"]]
        assert page["count"] == 5
        page = alice.get(page["next"].removeprefix("http://testserver")).json() if page["next"] else None
    assert len(seen) == len(set(seen)) == 5


def test_a_list_shows_the_same_as_a_single_source(alice: Caller, base: str, sources: str) -> None:
    source = create(alice, base)
    assert alice.get(sources).json()["results"] == [alice.get(f"{sources}{source['id']}").json()] == [source]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", {"Ärger", "shop"}),
        ("SHOP", {"shop"}),
        ("ärg", {"Ärger"}),
        ("mysql", {"Ärger", "shop"}),
        ("sq shop", {"shop"}),
        ("shop nothing", set()),
        ("100%", {"Ärger"}),
        ("_", {"shop"}),
        (".*", set()),
        ("-", set()),
        ("a\\", set()),
    ],
)
def test_search_wants_every_term_somewhere(
    alice: Caller, base: str, sources: str, search: str, found: set[str]
) -> None:
    one = create(alice, base, prefix="shop_")["id"]
    two = create(alice, base)["id"]
    alice.patch(f"{sources}{two}", {"description": "Ärger 100% sure"})
    names = {one: "shop", two: "Ärger"}
    answer = alice.client.get(sources, {"search": search}, headers=alice.headers)
    assert {names[id] for id in ids(answer)} == found
    assert answer.json()["count"] == len(found)


def test_search_finds_a_source_by_its_id(alice: Caller, base: str, sources: str) -> None:
    one = create(alice, base, prefix="a")["id"]
    create(alice, base, prefix="b")
    assert ids(alice.get(f"{sources}?search={one}")) == [one]
    assert ids(alice.get(f"{sources}?search={one[:13].upper()}"))[-1] == one


def test_an_id_may_be_written_in_capitals(alice: Caller, base: str, sources: str) -> None:
    source = create(alice, base)
    assert alice.get(f"{sources}{source['id'].upper()}/").json() == source


def test_ids_of_nothing_are_not_found(alice: Caller, base: str, sources: str) -> None:
    source = create(alice, base)
    table = source["schemas"][0]["id"]
    for unknown in (table, "5", "wizards", "0199d3aa-51c5-7b0e-9a35-3d8f7f0c2e11", "%00", "x" * 500):
        answer = alice.get(f"{sources}{unknown}/")
        assert answer.status_code in (400, 404) if unknown == "%00" else answer.status_code == 404, unknown


def test_another_project_s_source_is_not_there(alice: Caller, charlie: Caller, people: People, sources: str) -> None:
    other = create(charlie, f"/api/environments/{people.elsewhere.pk}")
    assert envelope(alice.get(f"{sources}{other['id']}/"))[:3] == (404, "not_found", "Not found.")
    assert alice.get(sources).json()["count"] == 0


def test_a_source_outlives_its_maker(alice: Caller, base: str, sources: str, people: People) -> None:
    source = create(alice, base)
    Source.objects.update(created_by=people.charlie)
    assert alice.get(f"{sources}{source['id']}/").json()["created_by"] == "charlie@example.com"
    Source.objects.update(created_by=None)
    assert alice.get(f"{sources}{source['id']}/").json()["created_by"] is None


def test_the_derived_members_follow_the_tables(alice: Caller, base: str, sources: str) -> None:
    source = create(
        alice, base, {"name": "orders", "should_sync": True, "sync_type": "full_refresh"}, {"name": "countries"}
    )
    SourceTable.objects.filter(name="orders").update(status="Failed", latest_error="broken")
    shown = alice.get(f"{sources}{source['id']}/").json()
    assert (shown["status"], shown["latest_error"]) == ("Failed", "broken")
    SourceTable.objects.filter(name="orders").update(should_sync=False)
    assert alice.get(f"{sources}{source['id']}/").json()["status"] == "Paused"


def test_the_list_of_a_big_project_costs_a_constant_number_of_statements(
    alice: Caller, sources: str, people: People
) -> None:
    counts = []
    for number in (1, 1, 100):  # the first request also notes when the key was used
        Source.objects.all().delete()
        Table.objects.all().delete()
        many_sources(people, number, 20)
        with CaptureQueriesContext(connection) as queries:
            answer = alice.get(f"{sources}?limit=100")
        assert [len(s["schemas"]) for s in answer.json()["results"]] == [20] * number
        counts.append(len(queries))
    assert counts[1] == counts[2] <= 8


def test_a_single_source_is_answered_at_once(alice: Caller, sources: str, people: People) -> None:
    """The target is a 95th percentile of 25 ms on an idle machine; here only what cannot be noise."""
    many_sources(people, 1, 20)
    url = f"{sources}{Source.objects.get().id}/"
    times = []
    for _ in range(20):
        start = time.perf_counter()
        assert alice.get(url).status_code == 200
        times.append(time.perf_counter() - start)
    assert sorted(times)[10] < 0.25


# --- who sees what -----------------------------------------------------------------------------------------------


def rule(people: People, level: str, object_id: str = "") -> None:
    """A rule for Bob."""
    AccessRule.objects.create(
        project=people.project,
        resource="external_data_source",
        object_id=object_id,
        membership=Membership.objects.get(user=people.bob),
        level=level,
    )


def test_everybody_sees_their_own_level(alice: Caller, bob: Caller, vera: Caller, base: str, sources: str) -> None:
    url = f"{sources}{create(bob, base)['id']}/"
    levels = [caller.get(url).json()["user_access_level"] for caller in (alice, bob, vera)]
    assert levels == ["manager", "manager", "viewer"]
    other = f"{sources}{create(alice, base, prefix='x')['id']}/"
    assert bob.get(other).json()["user_access_level"] == "editor"


def test_a_source_with_level_none_is_left_out(
    alice: Caller, bob: Caller, base: str, sources: str, people: People
) -> None:
    hidden, seen = create(alice, base, prefix="a")["id"], create(alice, base, prefix="b")["id"]
    rule(people, "none", hidden)
    assert ids(bob.get(sources)) == [seen]
    assert bob.get(sources).json()["count"] == 1
    assert envelope(bob.get(f"{sources}{hidden}/"))[:3] == (
        403,
        "permission_denied",
        "You do not have viewer access to this resource.",
    )


def test_one_who_may_see_one_source_lists_just_that(
    alice: Caller, bob: Caller, base: str, sources: str, people: People
) -> None:
    hidden, seen = create(alice, base, prefix="a")["id"], create(alice, base, prefix="b")["id"]
    rule(people, "none")
    assert envelope(bob.get(sources))[0] == 403
    rule(people, "viewer", seen)
    assert ids(bob.get(sources)) == [seen]
    assert bob.get(f"{sources}{seen}/").status_code == 200
    assert envelope(bob.get(f"{sources}{hidden}/"))[0] == 403
    assert envelope(bob.post(f"{sources}{seen}/reload/"))[2] == "You do not have editor access to this resource."


def test_the_maker_of_a_source_keeps_it(bob: Caller, base: str, sources: str, people: People) -> None:
    own = create(bob, base)["id"]
    rule(people, "none")
    assert bob.get(f"{sources}{own}/").json()["user_access_level"] == "manager"
    assert bob.patch(f"{sources}{own}/", {"description": "mine"}).status_code == 200


# --- jobs (§7.6) -------------------------------------------------------------------------------------------------


def runs_of(source: Any, name: str = "orders", number: int = 1) -> list[Run]:
    """Finished runs, one an hour from 2026-01-01."""
    row, start = table_of(source, name), datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Run.objects.create(
            source_table=row,
            status="Completed",
            created_at=start + timedelta(hours=n),
            finished_at=start + timedelta(hours=n, seconds=3),
            rows_synced=37,
        )
        for n in range(number)
    ]


def test_a_job_is_shown_with_its_table_as_it_is_now(alice: Caller, base: str, sources: str) -> None:
    source = create(alice, base, {"name": "orders"})
    (run,) = runs_of(source)
    give_data(source, last_synced_at=run.created_at, sync_type="append")
    assert alice.get(f"{sources}{source['id']}/jobs/").json() == [
        {
            "id": str(run.id),
            "created_at": "2026-01-01T00:00:00Z",
            "created_by": None,
            "finished_at": "2026-01-01T00:00:03Z",
            "status": "Completed",
            "schema": {
                "id": source["schemas"][0]["id"],
                "name": "orders",
                "should_sync": False,
                "last_synced_at": "2026-01-01T00:00:00Z",
                "sync_type": "append",
            },
            "rows_synced": 37,
            "latest_error": None,
            "workflow_run_id": str(run.workflow_run_id),
            "losses": {},
        }
    ]


def test_the_newest_50_jobs_come_newest_first(alice: Caller, base: str, sources: str) -> None:
    source = create(alice, base, {"name": "orders"})
    runs = runs_of(source, number=55)
    shown = alice.get(f"{sources}{source['id']}/jobs/").json()
    assert [j["id"] for j in shown] == [str(r.id) for r in reversed(runs[5:])]
    older = alice.get(f"{sources}{source['id']}/jobs/?before={shown[-1]['created_at']}").json()
    assert [j["id"] for j in older] == [str(r.id) for r in reversed(runs[:5])]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("after=2026-01-01T01:00:00Z", 1),
        ("before=2026-01-01T01:00:00Z", 1),
        ("after=2026-01-01T01:00:00", 1),
        ("after=2026-01-01T02:00:00%2B01:00", 1),
        ("after=2025-12-31", 3),
        ("before=1990-01-01T00:00:00Z", 0),
        ("after=2090-01-01T00:00:00Z", 0),
        ("after=2026-01-01T00:00:00Z&before=2026-01-01T02:00:00Z", 1),
        ("schemas=orders", 3),
        ("schemas=orders&schemas=countries", 3),
        ("schemas=countries", 0),
        ("after=&unknown=1", 3),
    ],
)
def test_jobs_are_narrowed(alice: Caller, base: str, sources: str, query: str, count: int) -> None:
    source = create(alice, base, {"name": "orders"}, {"name": "countries"})
    runs_of(source, number=3)
    assert len(alice.get(f"{sources}{source['id']}/jobs/?{query}").json()) == count


@pytest.mark.parametrize("name", ["after", "before"])
@pytest.mark.parametrize(
    "value", ["yesterday", "2026-13-01", "5", "2026-01-01T00:00:00+01:00", "0001-01-01T00:00:00%2B14:00"]
)
def test_a_time_that_is_none_is_refused(alice: Caller, base: str, sources: str, name: str, value: str) -> None:
    source = create(alice, base, {"name": "orders"})
    answer = alice.get(f"{sources}{source['id']}/jobs/?{name}={value}")
    assert envelope(answer) == (400, "invalid_input", f"Invalid date: {name}", name)


# --- wizard ------------------------------------------------------------------------------------------------------


def test_the_wizard_lists_forms_and_no_secrets(vera: Caller, sources: str, base: str, alice: Caller) -> None:
    create(alice, base)
    answer = vera.get(f"{sources}wizard/")
    assert answer.status_code == 200
    assert all(entry["name"] == name for name, entry in answer.json().items())
    assert {"Stripe", "Hubspot"} <= answer.json().keys()
    assert "correct horse" not in answer.content.decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", ""),
        ("PATCH", ""),
        ("PUT", "wizard/"),
        ("POST", "wizard/"),
        ("GET", "source_prefix/"),
        ("GET", "database_schema/"),
        ("DELETE", "wizard/"),
    ],
)
def test_other_methods_are_refused(alice: Caller, sources: str, method: str, path: str) -> None:
    answer = alice.send(method, f"{sources}{path}")
    assert envelope(answer)[:3] == (405, "method_not_allowed", f'Method "{method}" not allowed.')


def test_the_same_routes_answer_below_projects_and_without_slash(
    alice: Caller, base: str, people: People, fake: FakeConnector
) -> None:
    source = create(alice, base)
    for path in ("projects", "environments"):
        for end in ("", "/"):
            url = f"/api/{path}/{people.project.pk}/external_data_sources/{source['id']}{end}"
            assert alice.get(url).json() == source
