from typing import Any

import pytest

from hedgerow.connectors.contract import Cursor
from hedgerow.connectors.kits.sql import pg_plan
from tests.connectors.kits.sql.reading import read_all
from tests.support.postgres import PostgresDatabase


@pytest.mark.parametrize(
    ("is_indexed", "changed", "by_rows"),
    [(True, 12_000, False), (True, 9_000, True), (False, 9_000, False)],
    ids=["many newer ones", "few newer ones", "all are looked at"],
)
def test_the_reader_fits_what_is_newer_whatever_the_statistics_say(
    pg_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch, is_indexed: bool, changed: int, by_rows: bool
) -> None:
    monkeypatch.setattr(pg_plan, "MANY_ROWS", 10_000)
    pg_database.execute("create table t as select i, 0 as n from generate_series(1, 20000) i")
    if is_indexed:
        pg_database.execute("create index on t (n)")
    pg_database.execute("analyze t")
    pg_database.execute(f"alter table t set (autovacuum_enabled = off); update t set n = i where i <= {changed}")
    plans: list[pg_plan.ReadPlan] = []
    real = pg_plan.make

    def noted(*args: Any) -> pg_plan.ReadPlan:
        plans.append(real(*args))
        return plans[-1]

    monkeypatch.setattr(pg_plan, "make", noted)
    rows, _ = read_all(pg_database, "t", Cursor("n", "integer", "0"))
    assert sorted(rows["n"].to_pylist()) == list(range(1, changed + 1))
    assert [plan.by_rows for plan in plans] == [by_rows]
