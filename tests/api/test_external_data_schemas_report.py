"""GET external_data_schemas/<id>/type_report/: what becomes of values, and the policy for bad ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hedgerow.sources.models import SourceTable
from hedgerow.sync.models import Run
from tests.api.conftest import Caller, envelope
from tests.api.sources import create, give_data, table_of
from tests.support.fake_connector import ID, NOTE, UPDATED, FakeConnector, a_table
from tests.support.people import People

BAD = '"{}" is not a valid choice.'


@pytest.fixture
def source(fake: FakeConnector, alice: Caller, base: str) -> Any:
    """With a column that may lose values, and two that differ only in case."""
    fake.offered = [a_table("orders", ID, replace(NOTE, name="ID"), replace(UPDATED, may_lose="infinity becomes null"))]
    return create(alice, base, {"name": "orders"})


@pytest.fixture
def url(base: str, source: Any) -> str:
    return f"{base}/external_data_schemas/{source['schemas'][0]['id']}/"


def a_run(table: SourceTable, hour: int, **values: Any) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    Run.objects.create(source_table=table, created_at=at, **{"status": "Completed", **values})


def lost(count: int) -> dict[str, Any]:
    return {"losses": {"updated_at": {"count": count, "reason": "infinite", "sample": ["id = 1"]}}}


def test_before_the_first_sync_it_says_what_will_be_stored(alice: Caller, url: str) -> None:
    assert alice.get(f"{url}type_report/").json() == {
        "columns": [
            {
                "name": "id",
                "source_type": "int",
                "stored_as": "id",
                "stored_type": "integer",
                "lossless": True,
                "note": None,
                "nulled": None,
            },
            {
                "name": "ID",
                "source_type": "text",
                "stored_as": "ID_2",
                "stored_type": "string",
                "lossless": True,
                "note": None,
                "nulled": None,
            },
            {
                "name": "updated_at",
                "source_type": "timestamp",
                "stored_as": "updated_at",
                "stored_type": "datetime",
                "lossless": False,
                "note": "infinity becomes null",
                "nulled": None,
            },
        ]
    }


def test_values_are_counted_since_the_table_was_last_read_as_a_whole(alice: Caller, url: str, source: Any) -> None:
    table = give_data(source)
    table.columns = [{"name": "updated_at", "type": "datetime", "stored": "TIMESTAMP"}]
    table.save()
    row = table_of(source)
    a_run(row, 0, **lost(100))
    a_run(row, 1, **lost(5))
    a_run(row, 2, cursor_from="7", **lost(2))
    a_run(row, 3, cursor_from="9")
    a_run(row, 4, status="Failed", **lost(50))
    first, _, last = alice.get(f"{url}type_report/").json()["columns"]
    assert (first["nulled"], last["nulled"], last["stored_type"]) == (0, 7, "timestamp")


def test_who_may_see_the_schema_may_see_the_report(people: People, bob: Caller, vera: Caller, url: str) -> None:
    assert vera.get(f"{url}type_report/").status_code == 200
    reader = Caller(people.key(people.alice, ["external_data_source:read"]))
    assert reader.get(f"{url}type_report/").status_code == 200
    assert Caller(people.key(people.alice, ["query:read"])).get(f"{url}type_report/").status_code == 403
    assert Caller(people.keys["charlie"]).get(f"{url}type_report/").status_code in (403, 404)
    assert bob.send("POST", f"{url}type_report/").status_code == 405
    missing = url.replace(url.rstrip("/").rsplit("/", 1)[1], "0199d3aa-51c5-7b0e-9a35-3d8f7f0c2e11")
    assert bob.get(f"{missing}type_report/").status_code == 404


def test_the_policy_for_bad_values_is_shown_and_changed(alice: Caller, url: str) -> None:
    assert alice.get(url).json()["bad_values"] == "null_and_count"
    for policy in ("keep_text", "fail", "null_and_count"):
        assert alice.patch(url, {"bad_values": policy}).json()["bad_values"] == policy


@pytest.mark.parametrize("value", ["zero", "", None, 1, ["fail"], {"a": 1}])
def test_no_other_policy_is_known(alice: Caller, url: str, value: Any) -> None:
    answer = alice.patch(url, {"bad_values": value})
    assert envelope(answer) == (400, "invalid_choice", BAD.format(value), "bad_values")


def test_the_policy_may_be_chosen_at_once(alice: Caller, base: str, source: Any) -> None:
    made = create(alice, base, {"name": "orders", "bad_values": "fail"}, prefix="b")
    assert made["schemas"][0]["bad_values"] == "fail"
    with pytest.raises(AssertionError, match="invalid_choice"):
        create(alice, base, {"name": "orders", "bad_values": "no"}, prefix="c")


def test_jobs_show_what_was_lost(alice: Caller, base: str, source: Any) -> None:
    a_run(table_of(source), 0, **lost(3))
    (job,) = alice.get(f"{base}/external_data_sources/{source['id']}/jobs/").json()
    assert job["losses"] == lost(3)["losses"]
