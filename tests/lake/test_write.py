import datetime as dt
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.core.errors import BadDataError, ConflictError
from hedgerow.lake import maintain, read, write
from hedgerow.lake.storage import Storage
from tests.lake.tables import ALICE, BOB, PEOPLE, PLACE, append, content, facts, files, merge, replace, rows


def test_a_replace_makes_the_table_and_tells_what_it_holds(storage: Storage) -> None:
    seen: list[int] = []
    written = write.replace(storage, PLACE, PEOPLE.schema, PEOPLE.to_batches(1), facts(1), seen.append)
    columns = [
        {"name": "id", "type": "integer", "stored": "BIGINT"},
        {"name": "name", "type": "string", "stored": "VARCHAR"},
    ]
    assert written == write.Written(2, 0, 2, columns)
    assert seen == [1, 1]
    assert rows(storage) == [ALICE, BOB]


def wall_clock(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


EVERY_TYPE: dict[str, tuple[pa.DataType, list[Any]]] = {
    "i8": (pa.int8(), [-128, 127]),
    "i16": (pa.int16(), [-(2**15), 2**15 - 1]),
    "i32": (pa.int32(), [-(2**31), 2**31 - 1]),
    "i64": (pa.int64(), [-(2**63), 2**63 - 1]),
    "f32": (pa.float32(), [float("nan"), float("-inf")]),
    "f64": (pa.float64(), [5e-324, float("inf")]),
    "small": (pa.decimal128(9, 2), [Decimal("-9999999.99"), Decimal("0.01")]),
    "medium": (pa.decimal128(18, 18), [Decimal("0.123456789012345678"), Decimal("-0.1")]),
    "large": (pa.decimal128(38, 10), [Decimal("-" + "9" * 28 + ".9999999999"), Decimal(1)]),
    "text": (pa.string(), ["", "ü😀\x00\n" + "x" * 5000]),
    "bytes": (pa.binary(), [b"", bytes(range(256))]),
    "flag": (pa.bool_(), [True, False]),
    "day": (pa.date32(), [dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
    "wall": (pa.timestamp("us"), [wall_clock("0001-01-01"), wall_clock("9999-12-31T23:59:59.999999")]),
    "instant": (
        pa.timestamp("us", "UTC"),
        [dt.datetime(1969, 12, 31, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC)],
    ),
}


@pytest.mark.parametrize("verb", [replace, append, merge])
def test_every_stored_type_is_read_back_exactly_by_all_readers(storage: Storage, verb: Any) -> None:
    columns = {name: pa.array([*values, None], type_) for name, (type_, values) in EVERY_TYPE.items()}
    table = pa.table({"id": [1, 2, 3], **columns})
    verb(storage, 1, table)
    verb(storage, 2, table.slice(0, 2))
    found = content(storage).sort_by("id").slice(0, 2)
    wanted = table.slice(0, 1) if verb is append else table.slice(0, 2)
    assert repr(found.slice(0, wanted.num_rows).to_pylist()) == repr(
        (pa.concat_tables([wanted, wanted]) if verb is append else wanted).slice(0, wanted.num_rows).to_pylist()
    )
    assert found.schema.types == table.schema.types


TYPES = st.sampled_from([type_ for type_, _values in EVERY_TYPE.values() if not pa.types.is_floating(type_)])
VALUES = {
    pa.string(): st.text(st.characters(codec="utf-8"), max_size=20),
    pa.binary(): st.binary(max_size=20),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(),
    pa.timestamp("us", "UTC"): st.datetimes(timezones=st.just(dt.UTC)),
}


@st.composite
def made_up_table(draw: st.DrawFn) -> pa.Table:
    count = draw(st.integers(0, 5))
    names = draw(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=5),
            min_size=1,
            max_size=4,
            unique_by=str.lower,
        )
    )
    columns = []
    for _ in names:
        type_ = draw(TYPES)
        values = VALUES.get(type_, st.integers(-100, 100))
        if pa.types.is_decimal(type_):
            edge = 10 ** min(type_.precision, 15) - 1
            values = st.builds(Decimal.scaleb, st.integers(-edge, edge).map(Decimal), st.just(-type_.scale))
        columns.append(pa.array(draw(st.lists(st.none() | values, min_size=count, max_size=count)), type_))
    return pa.table(columns, names=names)


@given(first=made_up_table(), second=made_up_table())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_can_take_the_place_of_any_other_in_one_commit(
    storage: Storage, first: pa.Table, second: pa.Table
) -> None:
    storage.delete(PLACE)
    replace(storage, 1, first)
    replace(storage, 2, second)
    assert content(storage).to_pylist() == second.to_pylist()
    assert content(storage).schema.types == second.schema.types


def test_a_table_without_rows_is_a_table(storage: Storage) -> None:
    for fence, verb in enumerate([replace, append, merge], start=1):
        storage.delete(PLACE)
        written = verb(storage, fence, PEOPLE.slice(0, 0))
        assert (written.rows, written.row_count, len(written.columns)) == (0, 0, 2)
        assert content(storage).num_rows == 0


def test_a_full_refresh_that_finds_the_source_empty_empties_the_table(storage: Storage) -> None:
    replace(storage, 1, PEOPLE)
    replace(storage, 2, PEOPLE.slice(0, 0))
    assert content(storage).num_rows == 0


def test_a_source_without_columns_gives_a_placeholder_that_later_columns_join(storage: Storage) -> None:
    empty = pa.schema([])
    written = write.append(storage, PLACE, empty, [], facts(1), lambda _n: None)
    assert written.columns == [{"name": "no_columns", "type": "boolean", "stored": "BOOLEAN"}]
    append(storage, 2, PEOPLE)
    assert rows(storage)[0] == {"no_columns": None, **ALICE}


def test_readers_never_see_a_replace_before_its_commit(storage: Storage) -> None:
    replace(storage, 1, PEOPLE)

    def batches() -> Iterator[pa.RecordBatch]:
        for n in range(3):
            yield from pa.table({"id": [n], "other": [True]}).to_batches()
            assert rows(storage) == [ALICE, BOB]

    def finish() -> write.CommitFacts:
        assert rows(storage) == [ALICE, BOB]
        return facts(2)()

    write.replace(
        storage, PLACE, pa.schema([("id", pa.int64()), ("other", pa.bool_())]), batches(), finish, lambda _n: None
    )
    assert rows(storage) == [{"id": n, "other": True} for n in range(3)]


class StopError(Exception):
    """Raised by tests in the middle of a write."""


def failing_batches() -> Iterator[pa.RecordBatch]:
    yield from PEOPLE.to_batches()
    raise StopError


def failing_finish() -> write.CommitFacts:
    raise StopError


@pytest.mark.parametrize("verb", ["replace", "append", "merge"])
@pytest.mark.parametrize("fails", ["batches", "finish"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_write_that_fails_leaves_the_old_table_and_no_files(
    storage: Storage, verb: str, fails: str, exists: bool
) -> None:
    if exists:
        replace(storage, 1, PEOPLE.slice(0, 1))
    before = files(storage)
    source = failing_batches() if fails == "batches" else PEOPLE.to_batches()
    finish = failing_finish if fails == "finish" else facts(2)
    extra = [["id"]] if verb == "merge" else []
    with pytest.raises(StopError):
        getattr(write, verb)(storage, PLACE, PEOPLE.schema, source, finish, lambda _n: None, *extra)
    assert files(storage) == before
    assert (read.state(storage, PLACE) is not None) == exists
    if exists:
        assert rows(storage) == [ALICE]


KILLED = """
import sys, time, pyarrow as pa
from hedgerow.lake import write, parts
from hedgerow.lake.storage import Storage
parts.GROUP_ROWS = 1

def batches():
    for n in range(10**9):
        yield pa.record_batch({"id": [n]})
        if n == 100:
            print("writing", flush=True)
            time.sleep(60)

schema = pa.schema([("id", pa.int64())])
facts = write.CommitFacts("killed", 2)
write.replace(Storage(sys.argv[1]), sys.argv[2], schema, batches(), lambda: facts, lambda n: None)
"""


def test_a_write_that_is_killed_leaves_only_orphans_which_tidying_removes(storage: Storage) -> None:
    replace(storage, 1, PEOPLE)
    before = files(storage)
    child = subprocess.Popen([sys.executable, "-c", KILLED, storage.url, PLACE], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"writing\n"
    child.kill()
    child.wait()
    child.stdout.close()
    assert rows(storage) == [ALICE, BOB]
    assert len(files(storage)) == 2
    time.sleep(0.01)
    maintain.tidy(storage, PLACE, keep_hours=0)
    assert files(storage) == before
    assert rows(storage) == [ALICE, BOB]


def test_append_adds_rows_without_looking_at_those_there(storage: Storage) -> None:
    append(storage, 1, PEOPLE)
    written = append(storage, 2, PEOPLE.slice(1))
    assert (written.rows, written.row_count) == (1, 3)
    assert rows(storage) == [ALICE, BOB, BOB]


def test_merge_updates_known_keys_and_adds_new_ones(storage: Storage) -> None:
    merge(storage, 1, PEOPLE)
    carol, bobby = {"id": 3, "name": "Carol"}, {"id": 2, "name": "Bobby"}
    written = merge(storage, 2, pa.Table.from_pylist([carol, bobby]))
    assert (written.rows, written.row_count) == (2, 3)
    assert rows(storage) == [ALICE, bobby, carol]


@given(st.lists(st.dictionaries(st.integers(0, 30), st.integers(0, 99), max_size=12), min_size=1, max_size=5))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_merges_end_where_updating_a_dictionary_ends(storage: Storage, runs: list[dict[int, int]]) -> None:
    storage.delete(PLACE)
    wanted: dict[int, int] = {}
    for fence, run in enumerate(runs, start=1):
        schema = pa.schema([("id", pa.int64()), ("v", pa.int64())])
        merge(storage, fence, pa.table([list(run.keys()), list(run.values())], schema=schema))
        wanted |= run
    assert {row["id"]: row["v"] for row in rows(storage)} == wanted
    assert content(storage).num_rows == len(wanted)


@pytest.mark.parametrize("verb", [append, merge])
def test_a_new_column_is_null_in_old_rows_and_a_vanished_one_in_new_rows(storage: Storage, verb: Any) -> None:
    verb(storage, 1, PEOPLE)
    written = verb(storage, 2, pa.table({"id": [3], "seen": pa.array([0], pa.timestamp("us"))}))
    assert [column["name"] for column in written.columns] == ["id", "name", "seen"]
    assert rows(storage)[::2] == [
        {**ALICE, "seen": None},
        {"id": 3, "name": None, "seen": wall_clock("1970-01-01")},
    ]


@pytest.mark.parametrize("verb", [append, merge])
def test_a_wider_type_widens_the_column_and_a_narrower_one_is_cast(storage: Storage, verb: Any) -> None:
    verb(storage, 1, pa.table({"id": pa.array([1], pa.int32()), "v": pa.array([Decimal("1.5")], pa.decimal128(5, 1))}))
    verb(storage, 2, pa.table({"id": pa.array([2**40]), "v": pa.array([Decimal("2.25")], pa.decimal128(9, 2))}))
    verb(storage, 3, pa.table({"id": pa.array([3], pa.int8()), "v": pa.array([7], pa.int8())}))
    assert content(storage).schema.types == [pa.int64(), pa.decimal128(9, 2)]
    assert [(row["id"], str(row["v"])) for row in rows(storage)] == [(1, "1.50"), (3, "7.00"), (2**40, "2.25")]


@pytest.mark.parametrize("verb", [append, merge])
def test_a_type_that_no_longer_fits_stops_the_run_and_a_replace_takes_it(storage: Storage, verb: Any) -> None:
    verb(storage, 1, PEOPLE)
    changed = pa.table({"id": [1], "name": [1.5]})
    with pytest.raises(BadDataError, match='"name" changed from string to double'):
        verb(storage, 2, changed)
    assert rows(storage) == [ALICE, BOB]
    replace(storage, 3, changed)
    assert rows(storage) == [{"id": 1, "name": 1.5}]


@pytest.mark.parametrize("verb", [append, merge])
def test_facts_that_must_be_kept_are_committed_even_without_rows(storage: Storage, verb: Any) -> None:
    replace(storage, 1, PEOPLE, cursor="one")
    before = files(storage)
    written = verb(storage, 2, PEOPLE.slice(0, 0), cursor="two", base=1, always=True)
    state = read.state(storage, PLACE)
    assert state is not None
    assert (state.version, state.run, state.fence, state.cursor) == (written.version, "run-2", 2, "two")
    assert (written.rows, written.row_count, rows(storage), files(storage)) == (0, 2, [ALICE, BOB], before)
    with pytest.raises(ConflictError):
        verb(storage, 3, PEOPLE.slice(0, 0), cursor="three", base=1, always=True)


@pytest.mark.parametrize("verb", [append, merge])
def test_a_run_without_rows_commits_nothing(storage: Storage, verb: Any) -> None:
    verb(storage, 1, PEOPLE, cursor="2")
    written = verb(storage, 2, PEOPLE.slice(0, 0), cursor="ignored")
    assert (written.rows, written.version, written.row_count) == (0, 0, 2)
    state = read.state(storage, PLACE)
    assert state is not None
    assert (state.fence, state.cursor) == (1, "2")
