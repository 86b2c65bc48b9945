"""Rows committed late: whatever other sessions do around the readings, a copy ends up equal to the source."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from hedgerow.connectors.contract import Cursor, CursorType, ReadRequest
from hedgerow.connectors.kits.sql import pg_late
from tests.connectors.kits.sql.copies import Copy
from tests.connectors.kits.sql.reading import ANYWHERE, POSTGRES, choose_reader
from tests.support.postgres import PostgresDatabase, PostgresServer, PostgresStandby, binaries

Session = psycopg.Connection[Any]
Begin = Callable[[], Session]


@pytest.fixture
def database(pg_database: PostgresDatabase) -> PostgresDatabase:
    pg_database.execute("create table t (id int primary key, at timestamp, note text)")
    return pg_database


@pytest.fixture
def begin(pg_database: PostgresDatabase) -> Iterator[Begin]:
    """Opens sessions, each in a transaction."""
    with ExitStack() as stack:

        def opened() -> Session:
            session = stack.enter_context(pg_database.connect(autocommit=False))
            session.execute("select 1")
            return session

        yield opened


def insert(session: Session, *ids: int, hour: int | None = None) -> None:
    """Rows whose `at` ascends as `id` does."""
    for each in ids:
        stamp = f"2026-01-01 {each if hour is None else hour:02}:00:00"
        session.execute("insert into t values (%s, %s, 'new')", [each, stamp])


CURSORS: list[tuple[str, CursorType]] = [("id", "integer"), ("at", "timestamp")]


@pytest.mark.parametrize("reader", ["fast", "rows"])
@pytest.mark.parametrize(("name", "kind"), CURSORS)
def test_a_row_committed_after_its_value_was_passed_is_found(
    database: PostgresDatabase,
    begin: Begin,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kind: CursorType,
    reader: str,
) -> None:
    choose_reader(monkeypatch, reader)
    copy, slow, quick = Copy(database, name, kind), begin(), begin()
    insert(slow, 1)
    insert(quick, 2)
    quick.commit()
    assert copy.run() == [2]
    slow.commit()
    assert (copy.run(), copy.mark) == ([1], copy.mark)
    assert copy.run() == []
    insert(quick, 3)
    quick.commit()
    assert copy.run() == [3]
    assert copy.equals_source()


def test_many_may_be_late_and_each_ends_when_it_likes(database: PostgresDatabase, begin: Begin) -> None:
    copy, slow = Copy(database), [begin() for _ in range(4)]
    for place, session in enumerate(slow):
        insert(session, 10 + place)
        database.execute(f"insert into t (id) values ({20 + place})")
        copy.run()
    assert copy.run() == []
    slow[2].commit()
    assert copy.run() == [12]
    slow[0].commit()
    slow[1].rollback()
    assert copy.run() == [10]
    slow[3].commit()
    assert copy.run() == [13]
    assert copy.run() == []
    assert copy.equals_source()


def test_a_transaction_that_only_began_before_a_reading_may_write_after_it(
    database: PostgresDatabase, begin: Begin
) -> None:
    database.execute("insert into t (id) values (1), (3)")
    copy, slow = Copy(database), begin()  # it drew 2 when it began, as now() does
    copy.run()
    insert(slow, 2)
    assert copy.run() == []
    slow.commit()
    assert copy.run() == [2]
    database.execute("insert into t (id) values (5)")
    assert copy.run() == [5]
    assert copy.equals_source()


def test_what_began_while_a_reading_was_being_prepared_may_come_late(
    database: PostgresDatabase, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("insert into t (id) values (1)")
    copy, slow, real = Copy(database), list[Session](), pg_late.look

    def look(connection: Session) -> pg_late.Look | None:
        found = real(connection)
        slow.append(begin())  # draws 2, and is not among those seen at work
        database.execute("insert into t (id) values (3)")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(pg_late, "look", look)
        assert copy.run() == [1, 3]
    insert(slow[0], 2)
    database.execute("insert into t (id) values (4)")
    assert copy.run() == [4]
    slow[0].commit()
    assert copy.run() == [2]
    assert copy.run() == []


def test_what_was_written_under_a_savepoint_is_found(database: PostgresDatabase, begin: Begin) -> None:
    """Its id is not the transaction's, and a snapshot does not list it."""
    copy, slow = Copy(database), begin()
    insert(slow, 1)
    slow.execute("savepoint a")
    insert(slow, 2)
    slow.execute("release a")
    slow.execute("savepoint b")
    insert(slow, 3)
    slow.execute("rollback to b")
    insert(slow, 4)
    for each in (5, 6):
        database.execute("insert into t (id) values (%s)", [each])
        copy.run()
    slow.commit()
    assert copy.run() == [1, 2, 4]
    assert copy.run() == []
    assert copy.equals_source()


def test_ties_with_the_greatest_value_are_found_whenever_they_are_committed(database: PostgresDatabase) -> None:
    database.execute("create table days (id int, day date)")
    copy = Copy(database, "day", "date", table="days")
    for each in range(4):
        database.execute("insert into days values (%s, '2026-02-03')", [each])
        assert copy.run() == [each]
    assert copy.run() == []
    assert copy.equals_source()


def test_a_time_taken_shortly_before_the_transaction_began_is_found(database: PostgresDatabase) -> None:
    database.execute("insert into t values (1, '2026-01-01 10:00:00')")
    copy = Copy(database, "at", "timestamp")
    copy.run()
    database.execute("insert into t values (2, '2026-01-01 09:59:30')")
    assert copy.run() == [2]
    assert copy.run() == []


def test_a_prepared_transaction_is_late_until_it_ends(postgres: PostgresServer, database: PostgresDatabase) -> None:
    copy = Copy(database)
    database.execute("insert into t (id) values (10)")
    with database.connect(autocommit=False) as slow, database.connect(autocommit=False) as slower:
        insert(slow, 1, 2)
        copy.run()
        insert(slower, 8)
        slow.execute("prepare transaction 'late one'")
        database.execute("insert into t (id) values (11)")
        assert copy.run() == [11]
        slower.execute("prepare transaction 'later one'")
    postgres.stop()
    postgres.start()
    database.execute("insert into t (id) values (12)")
    assert copy.run() == [12]
    database.execute("commit prepared 'late one'")
    assert copy.run() == [1, 2]
    database.execute("rollback prepared 'later one'")
    assert copy.run() == []
    assert copy.equals_source()


def test_a_row_that_changes_without_its_cursor_is_not_read_again(database: PostgresDatabase) -> None:
    """Only where it might be late: here nothing was going on."""
    database.execute("insert into t (id) values (1), (2), (3)")
    copy = Copy(database)
    copy.run()
    database.execute("update t set note = 'changed'")
    assert copy.run() == []


def test_merge_takes_a_row_that_was_changed_by_a_late_transaction(database: PostgresDatabase, begin: Begin) -> None:
    database.execute("insert into t values (1, '2026-01-01 01:00'), (2, '2026-01-01 02:00')")
    copy, slow = Copy(database, "at", "timestamp", append=False), begin()
    copy.run()
    slow.execute("update t set at = '2026-01-01 03:00', note = 'late' where id = 1")
    database.execute("update t set at = '2026-01-01 04:00' where id = 2")
    assert copy.run() == [2]
    slow.commit()
    assert copy.run() == [1]
    assert copy.equals_source()


def test_a_table_that_was_written_anew_is_not_taken_for_new_rows(database: PostgresDatabase, begin: Begin) -> None:
    database.execute("insert into t select i from generate_series(1, 9) i")
    copy, slow = Copy(database), begin()  # so that no value is too small to come late
    copy.run()
    database.execute("alter table t alter id type bigint")
    assert copy.run() == []
    slow.commit()
    database.execute("insert into t values (10)")
    assert copy.run() == [10]
    assert copy.equals_source()


@pytest.mark.parametrize("parent", ["partition by list (note)", ""])
def test_the_parts_of_a_table_are_read_like_one(database: PostgresDatabase, begin: Begin, parent: str) -> None:
    of = "partition of p for values in ('new')" if parent else "(check (note = 'new')) inherits (p)"
    database.execute(f"""
        create table p (id int, at timestamp, note text) {parent};
        create table old (note text, at timestamp, id int);
        alter table {"p attach partition old for values in ('old')" if parent else "old inherit p"};
        create table new {of}
    """)
    copy, slow = Copy(database, table="p"), begin()
    slow.execute("insert into old (id, note) values (1, 'old')")
    slow.execute("insert into new (id, note) values (2, 'new')")
    database.execute("insert into new (id, note) values (3, 'new')")
    assert copy.run() == [3]
    slow.commit()
    assert copy.run() == [1, 2]
    assert copy.run() == []
    assert copy.equals_source()


@pytest.mark.parametrize(
    "relation",
    [
        "view v as select * from t",
        "materialized view v as select * from t",
        "foreign table v (id int, at timestamp, note text) server here options (table_name 't')",
    ],
    ids=["view", "materialized view", "foreign table"],
)
def test_relations_that_do_not_tell_who_wrote_a_row_are_read_by_value(
    postgres: PostgresServer, database: PostgresDatabase, relation: str
) -> None:
    if relation.startswith("foreign"):
        if not database.execute("select 1 from pg_available_extensions where name = 'postgres_fdw'"):
            pytest.skip("this PostgreSQL comes without postgres_fdw")
        database.execute(f"""
            create extension postgres_fdw;
            create server here foreign data wrapper postgres_fdw
              options (host '127.0.0.1', port '{postgres.port}', dbname '{database.name}');
            create user mapping for postgres server here
              options (user 'postgres', password $${postgres.password}$$)
        """)
    database.execute(f"insert into t (id) values (1), (2); create {relation}")
    copy = Copy(database, table="v")
    assert (copy.run(), copy.seen) == ([1, 2], None)
    database.execute("insert into t (id) values (0), (3)")
    if relation.startswith("material"):
        database.execute("refresh materialized view v")
    assert (copy.run(), copy.seen) == ([3], None)


@pytest.mark.skipif(not (binaries() / "pg_basebackup").exists(), reason="this PostgreSQL comes without pg_basebackup")
def test_a_standby_tells_of_late_rows_too(postgres: PostgresServer, database: PostgresDatabase, begin: Begin) -> None:
    """It lists no transactions of its primary, only the oldest id among them."""
    database.execute("insert into t (id) values (10)")
    with PostgresStandby(postgres) as standby:
        copy, slow = Copy(database, standby=PostgresDatabase(standby, database.name)), begin()

        def run() -> list[int]:
            standby.catch_up()
            return copy.run()

        assert run() == [10]
        insert(slow, 11)
        slow.execute("savepoint s")
        insert(slow, 12)
        slow.execute("release s")
        for each in (20, 21, 22):
            database.execute("insert into t (id) values (%s)", [each])
            assert run() == [each]
        assert run() == []
        slow.commit()
        assert run() == [11, 12]
        assert run() == []
        assert pg_late.Seen.load(copy.seen or "").floors == {"22"}
        assert copy.equals_source()


# ---- the price -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), CURSORS)
def test_only_values_that_may_come_late_are_looked_at_and_by_the_index(
    database: PostgresDatabase, begin: Begin, monkeypatch: pytest.MonkeyPatch, name: str, kind: CursorType
) -> None:
    database.execute("""
        insert into t select i, '2026-01-01'::timestamp + i * interval '1 s' from generate_series(1, 50000) i;
        create index on t (at); analyze t
    """)
    copy, slow = Copy(database, name, kind), begin()
    copy.run()
    slow.rollback()
    copy.run()
    insert(slow, 60_000, hour=15)
    for each in (60_001, 60_002):
        database.execute("insert into t values (%s, '2026-01-01 15:00:01')", [each])
        assert copy.run() == [each]

    asked: list[str] = []
    widened = pg_late.Late.condition

    def spy(self: pg_late.Late) -> str:
        asked.append(widened(self))
        return asked[-1]

    monkeypatch.setattr(pg_late.Late, "condition", spy)
    slow.commit()
    assert copy.run() == [60_000]
    plan = "\n".join(row[0] for row in database.execute(f"explain analyze select * from t where {asked[0]}"))
    assert "Index Scan" in plan
    assert sum(map(int, re.findall(r"Removed by Filter: (\d+)", plan))) < 100
    assert "Seq Scan" not in plan
    assert len(copy.seen or "") < 1_000


def test_when_nothing_changes_a_little_is_written_down_and_then_nothing(
    database: PostgresDatabase, begin: Begin
) -> None:
    copy, slow = Copy(database), begin()
    database.execute("insert into t (id) values (1), (2), (3)")
    assert copy.run() == [1, 2, 3]
    assert None in pg_late.Seen.load(copy.seen or "").floors, "as small as can be: the whole table must be looked at"
    slow.rollback()
    for _ in range(4):
        assert copy.run() == []
    assert pg_late.Seen.load(copy.seen or "").floors == {"3"}
    assert copy.kept == 2


def test_other_readings_of_ours_keep_no_value_from_being_left_behind(database: PostgresDatabase) -> None:
    database.execute("insert into t (id) values (1)")
    with POSTGRES.read(database.settings(), ANYWHERE, ReadRequest("t")) as other:
        copy = Copy(database)
        copy.run()
        assert pg_late.Seen.load(copy.seen or "").floors == {"1"}
        assert sum(batch.num_rows for batch in other.batches) == 1


def test_ids_beyond_what_is_kept_count_as_read_but_for_open_transactions(
    database: PostgresDatabase, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pg_late, "MOST_IDS", 3)
    copy, slow = Copy(database), begin()
    insert(slow, 1)
    for each in range(2, 12):
        database.execute("insert into t (id) values (%s)", [each])
        assert len(copy.run()) == 1
    assert len(pg_late.Seen.load(copy.seen or "").read) == 3
    slow.commit()
    assert copy.run() == [1]
    assert copy.equals_source()


def test_a_mark_without_ids_begins_to_have_them(database: PostgresDatabase, begin: Begin) -> None:
    copy, slow, quick = Copy(database), begin(), begin()
    insert(slow, 1)
    insert(quick, 3)
    quick.commit()
    assert copy.run() == [3]
    copy.seen = None  # as an older version of Hedgerow left it
    insert(slow, 2)
    assert copy.run() == []
    slow.commit()
    assert copy.run() == [1, 2]
    assert copy.run() == []
    assert copy.equals_source()


def test_a_role_that_may_only_read_sees_who_is_at_work(database: PostgresDatabase, begin: Begin) -> None:
    role = f"reader_{database.name}"
    database.execute(f"create role {role} login password 'x'; grant select on t to {role}")
    try:
        slow = begin()
        database.execute("insert into t (id) values (2)")
        cursor = Cursor("id", "integer")
        with POSTGRES.read(database.settings(user=role, password="x"), ANYWHERE, ReadRequest("t", cursor)) as reading:
            list(reading.batches)
        assert reading.seen is not None
        assert len(pg_late.Seen.load(reading.seen).running) == 1
        slow.rollback()
    finally:
        database.execute(f"drop owned by {role}; drop role {role}")
