"""Sessions that write, nest, commit, roll back and prepare in any order around the readings."""

from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.connectors.kits.sql.copies import Copy
from tests.support.postgres import PostgresDatabase
from tests.support.soak import times

Session = psycopg.Connection[Any]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["write", "write", "nested", "nested", "end", "end", "abort", "prepare", "settle", "read", "read"]
        ),
        st.integers(0, 3),
    ),
    min_size=10,
    max_size=40,
)


class Sessions:
    """Four sessions that write rows: `id` is drawn when writing, `began` when their transaction begins."""

    def __init__(self, database: PostgresDatabase, stack: ExitStack, updates: bool) -> None:
        database.execute("""
            rollback; drop table if exists t; drop sequence if exists clock; create sequence clock;
            create table t (id serial primary key, began int, hour int, changed int)
        """)
        self.database, self.updates = database, updates
        self.open = [stack.enter_context(database.connect(autocommit=False)) for _ in range(4)]
        self.clock: dict[int, int] = {}
        self.prepared: list[str] = []

    def write(self, place: int, *, nested: bool = False) -> None:
        """Insert a row, or change one that no other session is changing."""
        session = self.open[place]
        if place not in self.clock:
            self.clock[place] = self.draw(session)
        if nested:
            session.execute("savepoint s")
        if self.updates:
            free = "select id from t order by id %% 3 for update skip locked limit 1"
            session.execute(f"update t set changed = %s where id = ({free})".encode(), [self.draw(session)])
        began = self.clock[place]
        session.execute(
            "insert into t (began, hour, changed) values (%s, %s, %s)", [began, began // 5, self.draw(session)]
        )
        if nested:
            session.execute("rollback to s" if place == 3 else "release s")

    def draw(self, session: Session) -> int:
        """What time it is: greater than any time before."""
        row = session.execute("select nextval('clock')").fetchone()
        assert row is not None
        return int(row[0])

    def end(self, place: int, how: str) -> None:
        """Commit, roll back or prepare the session's transaction."""
        if self.clock.pop(place, None) is None:
            return
        if how == "prepare":
            self.prepared.append(f"{self.database.name} {place} {len(self.prepared)}")
            self.open[place].execute(f"prepare transaction '{self.prepared[-1]}'".encode())
        getattr(self.open[place], "rollback" if how == "abort" else "commit")()

    def settle(self, how: str = "commit") -> None:
        """End the oldest prepared transaction."""
        if self.prepared:
            self.database.execute(f"{how} prepared '{self.prepared.pop(0)}'")


@pytest.mark.soak
@pytest.mark.parametrize("updates", [False, True], ids=["append", "merge"])
@given(steps=STEPS)
@settings(max_examples=times(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_all_have_ended_one_more_run_makes_every_copy_equal_the_source(
    pg_database: PostgresDatabase, updates: bool, steps: list[tuple[str, int]]
) -> None:
    with ExitStack() as stack:
        sessions = Sessions(pg_database, stack, updates)
        fields = ["changed"] if updates else ["id", "began", "hour"]
        copies = [Copy(pg_database, name, append=not updates) for name in fields]
        try:
            for step, number in steps:
                if step == "read":
                    copies[number % len(copies)].run()
                elif step == "settle":
                    sessions.settle()
                elif step in ("write", "nested"):
                    sessions.write(number, nested=step == "nested")
                else:
                    sessions.end(number, step)
            for place in range(4):
                sessions.end(place, "end")
        finally:
            while sessions.prepared:
                sessions.settle()
        for copy in copies:
            copy.run()
            assert copy.equals_source()
            assert copy.run() == []
