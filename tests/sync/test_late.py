"""Rows committed late in a real PostgreSQL, through to the Delta table."""

from typing import Any

import pytest

from hedgerow.accounts.models import Project
from hedgerow.sync import lifecycle
from hedgerow.sync.models import RunStatus
from tests.support.postgres import PostgresDatabase
from tests.sync.conftest import Installation

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("sync_type", ["incremental", "append"])
def test_what_a_long_transaction_commits_late_is_in_the_table_once(
    pg_database: PostgresDatabase, project: Project, sync_type: str
) -> None:
    pg_database.execute("create table people (id serial primary key, name text)")
    there = _connect(project, pg_database, sync_type)

    def run() -> None:
        lifecycle.reload_source(there.source)
        there.work()

    with pg_database.connect(autocommit=False) as slow:
        slow.execute("insert into people (name) values ('Ada')")
        slow.execute("savepoint s; insert into people (name) values ('Grace'); release s")
        pg_database.execute("insert into people (name) values ('Joan')")
        there.work()
        assert there.stored() == [(3, "Joan")]
        run()
        pg_database.execute("insert into people (name) values ('Mary')")
        run()
        slow.commit()
    run()
    assert there.stored() == [(1, "Ada"), (2, "Grace"), (3, "Joan"), (4, "Mary")]
    versions = []
    for _ in range(3):
        run()
        versions.append(there.table().table.version)  # type: ignore[union-attr]
    assert there.stored() == [(1, "Ada"), (2, "Grace"), (3, "Joan"), (4, "Mary")]
    assert versions[1] == versions[2], "when nothing changes nothing is written"
    runs = there.runs()
    assert {each.status for each in runs} == {RunStatus.COMPLETED}
    assert [each.rows_synced for each in runs] == [1, 0, 1, 2, 0, 0, 0]
    assert {each.cursor_to for each in runs[2:]} == {"4"}


def _connect(project: Project, database: PostgresDatabase, sync_type: str) -> Installation:
    schema: dict[str, Any] = {"name": "people", "should_sync": True, "sync_type": sync_type}
    schema |= {"incremental_field": "id", "incremental_field_type": "integer"}
    payload = database.settings(schemas=[schema])
    data = {"source_type": "Postgres", "payload": payload}
    return Installation(project, lifecycle.connect(project=project, user=None, data=data))
