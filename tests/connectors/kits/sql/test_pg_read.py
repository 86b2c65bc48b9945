"""Reading real tables: any shape and name, cursors, one snapshot, and a clean end."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest

from hedgerow.connectors.contract import Cursor, CursorType, Reading, ReadRequest
from hedgerow.connectors.kits.sql import pg_plan
from hedgerow.core.errors import BadDataError, InterruptedReadError, MissingError, SourceQueryError
from tests.connectors.kits.sql.reading import (
    ANYWHERE,
    POSTGRES,
    choose_reader,
    is_sleeping,
    let_the_server_read,
    needs_extension,
    read_all,
    sessions,
    wait_for,
)
from tests.support.postgres import PostgresDatabase, PostgresServer


@pytest.fixture(params=["fast", "rows"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything here holds for both readers."""
    choose_reader(monkeypatch, request.param)


# ---- shapes ----------------------------------------------------------------------------------------------------------

NAMES = [
    "Capital",
    "two words",
    "dot.ted",
    'quo"ted',
    "it's",
    "🦔",
    "select",
    "{}",
    "%s",
    "back\\slash",
    "$$",
    "c0",
    "ctid2",
]


def test_any_identifier_works(pg_database: PostgresDatabase) -> None:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    columns = ", ".join(f"{quoted(name)} int not null" for name in NAMES)
    for table in NAMES:
        pg_database.execute(f"create table {quoted(table)} ({columns}, primary key ({quoted('🦔')}))")
        pg_database.execute(f"insert into {quoted(table)} values ({', '.join(map(str, range(len(NAMES))))})")

    assert [table.name for table in POSTGRES.tables(pg_database.settings(), ANYWHERE)] == sorted(NAMES)
    for table in ("🦔", 'quo"ted', "$$", "{}", "back\\slash", "%s"):
        rows, reading = read_all(pg_database, table, Cursor('quo"ted', "integer"))
        assert rows.to_pylist() == [{name: place for place, name in enumerate(NAMES)}]
        assert reading.cursor_to == "3"
        assert POSTGRES.check_key(pg_database.settings(), ANYWHERE, table, ("two words", "%s"))


def test_names_that_differ_only_in_case_are_two(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table users ("Id" int, id text); create table "Users" (id int);
        insert into users values (1, 'one'); insert into "Users" values (2);
    """)
    assert read_all(pg_database, "users")[0].to_pylist() == [{"Id": 1, "id": "one"}]
    assert read_all(pg_database, "Users")[0].to_pylist() == [{"id": 2}]


def test_a_table_without_columns_has_no_batches(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (); insert into t default values")
    rows, reading = read_all(pg_database, "t")
    assert (rows.num_columns, reading.schema) == (0, pa.schema([]))


def test_an_empty_table_has_its_schema_and_no_rows(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (id int, at timestamptz)")
    rows, reading = read_all(pg_database, "t", Cursor("at", "timestamp"))
    assert rows.num_rows == 0
    assert rows.schema == pa.schema([("id", pa.int32()), ("at", pa.timestamp("us", "UTC"))])
    assert reading.cursor_to is None


@pytest.mark.parametrize("count", [500, 1000])
def test_very_many_columns_work(pg_database: PostgresDatabase, count: int) -> None:
    pg_database.execute(f"create table t ({', '.join(f'c{i} int' for i in range(count))})")
    pg_database.execute(f"insert into t values ({', '.join(map(str, range(count)))})")
    rows, _ = read_all(pg_database, "t")
    assert list(rows.to_pylist()[0].values()) == list(range(count))


def test_every_kind_of_relation_is_read_whole(pg_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pg_plan, "CHUNK_BYTES", 100_000)  # many ranges, also past the first part's end
    pg_database.execute(
        """
        create table base (id int primary key, pad text);
        insert into base select i, repeat('x', 50) from generate_series(1, 20000) i;
        create table heir () inherits (base);
        insert into heir select i, repeat('x', 50) from generate_series(20001, 50000) i;
        create table parted (id int, pad text) partition by range (id);
        create table parted_1 partition of parted for values from (1) to (5000);
        create table parted_2 partition of parted for values from (5000) to (50001) partition by range (id);
        create table parted_2_1 partition of parted_2 default;
        insert into parted select * from base;
        create view seen as select * from base; create materialized view kept as select * from parted;
        delete from base where id % 7 = 0; vacuum
    """.removesuffix("; vacuum\n    ")
    )
    left = [i for i in range(1, 50001) if i % 7]

    for table, wanted in {
        "base": left, "heir": [i for i in left if i > 20000], "parted": list(range(1, 50001)), "seen": left,
        "kept": list(range(1, 50001)), "parted_2": list(range(5000, 50001)),
    }.items():  # fmt: skip
        rows, _ = read_all(pg_database, table)
        assert sorted(rows["id"].to_pylist()) == wanted, table


def test_a_partitioned_parent_with_a_foreign_part_is_read_whole(pg_database: PostgresDatabase, tmp_path: Path) -> None:
    path = tmp_path / "part.csv"
    path.write_text("\n".join(str(i) for i in range(1000, 1010)))
    let_the_server_read(path)
    needs_extension(pg_database, "file_fdw")
    pg_database.execute(f"""
        create server files foreign data wrapper file_fdw;
        create table t (id int) partition by range (id);
        create table t_1 partition of t for values from (1) to (1000);
        create foreign table t_2 partition of t for values from (1000) to (2000) server files
          options (filename '{path}', format 'csv');
        insert into t select i from generate_series(1, 9) i;
    """)
    rows, _ = read_all(pg_database, "t")
    assert sorted(rows["id"].to_pylist()) == [*range(1, 10), *range(1000, 1010)]


def test_batches_of_wide_rows_are_small(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create table t (id int, doc text); alter table t alter doc set storage external;
        insert into t select i, repeat(md5(i::text), 32000) from generate_series(1, 60) i; analyze t;
    """)
    request = ReadRequest("t", memory_mib=64)
    with POSTGRES.read(pg_database.settings(), ANYWHERE, request) as reading:
        sizes = [(batch.num_rows, batch.nbytes) for batch in reading.batches]
    assert sum(rows for rows, _ in sizes) == 60
    assert max(size for _, size in sizes) < 64 * 2**20


# ---- cursors ---------------------------------------------------------------------------------------------------------

CURSORS: list[tuple[str, CursorType, list[str], str]] = [
    ("smallint", "integer", ["-5", "0", "7"], "7"),
    ("bigint", "integer", ["9007199254740993", "9007199254740992", "1"], "9007199254740993"),
    ("date", "date", ["'0044-03-15 BC'", "'2024-02-29'", "'2024-03-01'"], "2024-03-01"),
    ("timestamp", "timestamp", ["'2024-01-01 00:00:00.1'", "'2024-01-01 00:00:00.100001'", "'1969-01-01'"],
     "2024-01-01 00:00:00.100001"),
    ("timestamptz", "timestamp", ["'2024-01-01 00:00:00+02'", "'2023-12-31 22:30:00+00'", "'1900-01-01'"],
     "2023-12-31 22:30:00+00"),
    ("timestamp", "timestamp", ["'10000-01-01 01:02:03'", "'0044-03-15 BC'"], "10000-01-01 01:02:03"),
    ("timestamp", "timestamp", ["'0044-03-15 01:02:03 BC'", "'0045-12-31 BC'"], "0044-03-15 01:02:03 BC"),
    ("numeric(10,3)", "numeric", ["1.5", "10", "9.999"], "10.000"),
    ("numeric", "numeric", ["9", "10.50", "-1e30"], "10.50"),
    ("float8", "numeric", ["0.1", "0.30000000000000004"], "0.30000000000000004"),
    ("real", "numeric", ["0.1", "0.2"], "0.20000000298023224"),
    ("text", "integer", ["'a'", "'B'", "'é'", "'it''s \\'"], "é"),
    ("uuid", "integer", ["'00000000-0000-0000-0000-00000000000f'", "'f0000000-0000-0000-0000-000000000000'"],
     "f0000000-0000-0000-0000-000000000000"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "kind", "values", "greatest"), CURSORS, ids=[f"{c[0]} {c[3]}" for c in CURSORS])
def test_a_cursor_goes_to_the_greatest_value_and_on_from_there(
    pg_database: PostgresDatabase, declared: str, kind: CursorType, values: list[str], greatest: str
) -> None:
    listed = ", ".join(f"({place}, {value})" for place, value in enumerate((*values, "null")))
    pg_database.execute(f"create table t (n int, v {declared}); insert into t values {listed}")

    first, reading = read_all(pg_database, "t", Cursor("v", kind))
    assert (first.num_rows, reading.cursor_to) == (len(values) + 1, greatest)

    again, reading = read_all(pg_database, "t", Cursor("v", kind, greatest))
    assert (again.num_rows, reading.cursor_to) == (0, None)

    least = pg_database.execute("select v::text from t where v is not null order by t.v limit 1")[0][0]
    newer, reading = read_all(pg_database, "t", Cursor("v", kind, least))
    in_order = pg_database.execute("select n from t where v is not null order by v offset 1")
    assert newer["n"].to_pylist() == [row[0] for row in in_order]
    assert reading.cursor_to == greatest


def test_equal_cursor_values_are_all_read_and_not_again(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t as select i, 5 as v from generate_series(1, 100000) i")
    rows, reading = read_all(pg_database, "t", Cursor("v", "integer", "4"))
    assert (rows.num_rows, reading.cursor_to) == (100_000, "5")
    assert read_all(pg_database, "t", Cursor("v", "integer", "5"))[0].num_rows == 0


def test_infinite_times_are_never_the_newest(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (v timestamptz); insert into t values ('infinity'), ('2024-01-01 00:00+00')")
    rows, reading = read_all(pg_database, "t", Cursor("v", "timestamp"))
    assert (rows.num_rows, reading.cursor_to) == (2, "2024-01-01 00:00:00+00")
    rows, _ = read_all(pg_database, "t", Cursor("v", "timestamp", "2023-01-01"))
    assert rows.num_rows == 1


def test_a_cursor_uses_the_columns_index(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create domain stamp as timestamptz; create table t (id int, v stamp);
        insert into t select i, '2024-01-01'::timestamptz + i * interval '1 s' from generate_series(1, 50000) i;
        create index on t (v); analyze t;
        create function scans() returns bigint language sql as $$
          select idx_scan from pg_stat_user_indexes where relname = 't' $$;
    """)
    rows, _ = read_all(pg_database, "t", Cursor("v", "timestamp", "2024-01-01 13:53:00 Europe/Berlin"))
    assert 0 < rows.num_rows < 50

    def used() -> bool:
        return int(pg_database.execute("select scans()")[0][0]) > 0

    wait_for(used)


def test_a_cursor_column_that_is_gone_is_missing(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (id int)")
    with pytest.raises(MissingError, match='column "gone" of relation "t" does not exist'):
        read_all(pg_database, "t", Cursor("gone", "integer", "1"))


def test_a_cursor_value_of_another_type_is_the_sources_complaint(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t (id int)")
    with pytest.raises(SourceQueryError, match="invalid input syntax for type integer"):
        read_all(pg_database, "t", Cursor("id", "integer", "2024-01-01"))


@pytest.mark.parametrize("declared", ["boolean", "bytea"])
def test_columns_that_cannot_order_rows_are_refused(pg_database: PostgresDatabase, declared: str) -> None:
    pg_database.execute(f"create table t (v {declared})")
    with pytest.raises(BadDataError, match='"v"'):
        read_all(pg_database, "t", Cursor("v", "integer"))


# ---- one snapshot ----------------------------------------------------------------------------------------------------


def test_a_read_sees_one_moment_whatever_is_written_before_and_meanwhile(
    pg_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pg_plan, "CHUNK_BYTES", 200_000)
    pg_database.execute("""
        create table t (id int primary key, amount int, pad text);
        insert into t select i, 0, repeat('x', 200) from generate_series(1, 50000) i;
    """)
    stop, paid = threading.Event(), [0]

    def write() -> None:
        """Pay from the table's first half to its second: the sum is 0 at every moment."""
        with pg_database.connect(autocommit=False) as connection:
            place = 0
            while not stop.is_set():
                place = (place + 997) % 25_000
                connection.execute("update t set amount = amount - 1 where id = %s", [1 + place])
                connection.execute("update t set amount = amount + 1 where id = %s", [50_000 - place])
                connection.execute("insert into t values (%s, 0, '')", [100_000 + paid[0]])
                connection.commit()
                paid[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_for(lambda: paid[0] > 20)
        with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("t")) as reading:
            rows = pa.Table.from_batches(list(reading.batches))
            wait_for(lambda: paid[0] > 100)
    finally:
        stop.set()
        writer.join()
    amounts = rows["amount"].to_pylist()
    assert sum(amounts) == 0
    assert sum(map(abs, amounts)) == 2 * (len(amounts) - 50_000) > 0


def test_the_table_keeps_its_shape_while_it_is_read(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t as select i as id, repeat('x', 1000) as pad from generate_series(1, 50000) i")
    with (
        POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("t")) as reading,
        pg_database.connect() as other,
    ):
        other.execute("set lock_timeout = '100ms'")
        with pytest.raises(Exception, match="lock timeout"):
            other.execute("alter table t drop column pad")
        assert sum(batch.num_rows for batch in reading.batches) == 50_000


def test_without_a_snapshot_to_share_one_worker_reads_all(
    pg_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pg_plan, "CHUNK_BYTES", 100_000)
    role = f"plain_{pg_database.name}"
    pg_database.execute(f"""
        revoke execute on function pg_export_snapshot() from public; create role {role} login password 'x';
        create table t as select i from generate_series(1, 50000) i; grant select on t to {role};
    """)
    try:
        with POSTGRES.read(pg_database.settings(user=role, password="x"), ANYWHERE, ReadRequest("t")) as reading:
            found = [value for batch in reading.batches for value in batch.column(0).to_pylist()]
            assert len([query for query in sessions(pg_database) if "pg_terminate" not in query]) == 2
    finally:
        pg_database.execute(f"drop owned by {role}; drop role {role}")
    assert sorted(found) == list(range(1, 50_001))


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_leaving_in_the_middle_of_a_long_query_ends_it_on_the_server(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create view slow as select 1 as a, pg_sleep(100)::text as b")
    begun = time.monotonic()
    with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("slow")):
        wait_for(lambda: is_sleeping(pg_database))
    assert time.monotonic() - begun < 5
    wait_for(lambda: sessions(pg_database) == [])


def test_a_reader_waiting_in_another_thread_is_told_that_the_read_ended(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create view slow as select 1 as a, pg_sleep(100)::text as b")
    seen: list[BaseException] = []

    def consume(reading: Reading) -> None:
        try:
            list(reading.batches)
        except BaseException as error:
            seen.append(error)

    with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("slow")) as reading:
        thread = threading.Thread(target=consume, args=(reading,))
        thread.start()
        wait_for(lambda: is_sleeping(pg_database))
    thread.join(5)
    assert [type(error) for error in seen] == [InterruptedReadError]


def test_leaving_a_large_table_early_does_not_read_the_rest(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t as select i, repeat('x', 500) as pad from generate_series(1, 200000) i")
    with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("t")) as reading:
        next(iter(reading.batches))
        begun = time.monotonic()
    assert time.monotonic() - begun < 2
    wait_for(lambda: sessions(pg_database) == [])


def test_an_error_of_the_consumer_passes_through_and_ends_the_read(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create table t as select i from generate_series(1, 100000) i")

    def consume() -> None:
        with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("t")) as reading:
            next(iter(reading.batches))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    wait_for(lambda: sessions(pg_database) == [])


@pytest.mark.parametrize("how", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_query_ended_from_outside_is_an_interruption(pg_database: PostgresDatabase, how: str) -> None:
    pg_database.execute("create view slow as select 1 as a, pg_sleep(100)::text as b")

    def end() -> None:
        wait_for(lambda: is_sleeping(pg_database))
        pg_database.execute(f"""
            select {how}(pid) from pg_stat_activity
            where datname = current_database() and wait_event = 'PgSleep' and pid <> pg_backend_pid()
        """)

    helper = threading.Thread(target=end)
    with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("slow")) as reading:
        helper.start()
        with pytest.raises(InterruptedReadError):
            list(reading.batches)
    helper.join()


def test_a_crash_of_the_server_in_the_middle_is_an_interruption(
    postgres: PostgresServer, pg_database: PostgresDatabase
) -> None:
    pg_database.execute("create table t as select i, repeat('x', 500) as pad from generate_series(1, 200000) i")
    try:
        with POSTGRES.read(pg_database.settings(), ANYWHERE, ReadRequest("t")) as reading:
            next(iter(reading.batches))
            postgres.kill()
            with pytest.raises(InterruptedReadError):
                list(reading.batches)
    finally:
        postgres.start()
    assert read_all(pg_database, "t")[0].num_rows == 200_000


def test_the_server_ends_a_query_whose_reader_was_killed(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create view slow as select 1 as a, pg_sleep(100)::text as b")
    script = f"""
import json
from hedgerow.connectors.contract import ReadRequest
from hedgerow.connectors.kits.sql import pg_plan
from tests.connectors.kits.sql.reading import ANYWHERE, POSTGRES
pg_plan.FEW_ROWS = {pg_plan.FEW_ROWS}
settings = json.loads({json.dumps(json.dumps(pg_database.settings()))})
with POSTGRES.read(settings, ANYWHERE, ReadRequest("slow")) as reading:
    list(reading.batches)
"""
    child = subprocess.Popen([sys.executable, "-c", script])
    try:
        wait_for(lambda: is_sleeping(pg_database), 30)
    finally:
        child.kill()
        child.wait()
    wait_for(lambda: sessions(pg_database) == [])
