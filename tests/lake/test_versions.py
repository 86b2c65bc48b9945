"""What a table was: which of its versions are listed and read, how long, and what is said of those that are gone."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hedgerow.core.errors import BadRequestError
from hedgerow.lake import log, maintain, query, read, versions
from hedgerow.lake.answer import Limits, Result
from hedgerow.lake.replay import replay
from hedgerow.lake.storage import Storage
from tests.lake.tables import PLACE, append, merge, replace


def ask(storage: Storage, sql: str) -> Result:
    """The answer over the one table `t`."""
    connection = query.connect(storage)
    try:
        return query.run(connection, storage, sql, {}, {"t": PLACE}, Limits())
    finally:
        connection.close()


def at(storage: Storage, when: int | str) -> list[list[Any]]:
    clause = f"VERSION => {when}" if isinstance(when, int) else f"TIMESTAMP => '{when}'"
    return ask(storage, f"SELECT * FROM t AT ({clause}) ORDER BY ALL").rows


def refusal(storage: Storage, when: int | str) -> str:
    with pytest.raises(BadRequestError) as caught:
        at(storage, when)
    return caught.value.message


def numbers(storage: Storage) -> list[int]:
    return [version.number for version in versions.readable(storage, PLACE)]


def ids(*values: int) -> pa.Table:
    return pa.table({"id": pa.array(values, pa.int64())})


def log_of(storage: Storage) -> Path:
    return Path(storage.path(PLACE), "_delta_log")


class Clock:
    """The time for writers and upkeep; files are as old as it says. It is real time again after `hours` passed."""

    def __init__(self, storage: Storage, hours: float) -> None:
        self.now = time.time() - hours * 3600
        self._folder = Path(storage.path(PLACE))
        self._seen: set[Path] = set()

    def time(self) -> float:
        return self.now

    def pass_(self, hours: float) -> None:
        new = set(self._folder.rglob("*.*")) - self._seen
        for path in new:
            os.utime(path, (self.now, self.now))
        self._seen |= new
        self.now += hours * 3600


@pytest.fixture
def ago(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Clock]:
    """`ago(hours)`: everything from now on happens then."""

    def turn_back(hours: float) -> Clock:
        clock = Clock(storage, hours)
        for module in (log, maintain):
            monkeypatch.setattr(module, "time", clock)
        return clock

    return turn_back


def test_every_version_is_read_as_it_was_whatever_wrote_the_next(storage: Storage) -> None:
    replace(storage, 1, pa.table({"id": [1, 2], "name": ["a", "b"]}))
    merge(storage, 2, pa.table({"id": [2, 3], "name": ["B", "c"]}))
    append(storage, 3, pa.table({"id": [4], "name": ["d"]}))
    append(storage, 4, pa.table({"id": [5], "name": ["e"]}))
    append(storage, 5, pa.table({"id": [6], "name": ["f"]}))
    maintain.tidy(storage, PLACE, keep_hours=6)
    merge(storage, 6, pa.table({"id": [1], "name": ["A"], "paid": [True]}))
    replace(storage, 7, pa.table({"other": [1.5]}))
    first = [[1, "a"], [2, "b"]]
    merged = [[1, "a"], [2, "B"], [3, "c"]]
    joined = [*merged, [4, "d"], [5, "e"], [6, "f"]]
    assert [at(storage, n) for n in range(8)] == [
        first,
        merged,
        joined[:4],
        joined[:5],
        joined,
        joined,
        [[1, "A", True], *([*row, None] for row in joined[1:])],
        [[1.5]],
    ]
    assert ask(storage, "SELECT * FROM t AT (VERSION => 0)").types == [["id", "Int64"], ["name", "String"]]
    assert ask(storage, "SELECT * FROM t").types == [["other", "Float64"]]


def test_the_list_tells_who_wrote_each_version_and_what_is_in_it(storage: Storage) -> None:
    before = int(time.time() * 1000)
    for n in range(4):
        append(storage, n + 1, ids(n))
    maintain.tidy(storage, PLACE, keep_hours=6)
    found = versions.readable(storage, PLACE)
    assert [(v.number, v.run, v.row_count) for v in found] == [
        (4, None, 4),
        (3, "run-4", 4),
        (2, "run-3", 3),
        (1, "run-2", 2),
        (0, "run-1", 1),
    ]
    assert [v.replaced_ms for v in found] == [None, *(v.created_ms for v in found[:-1])]
    assert before <= found[-1].created_ms <= found[0].created_ms <= int(time.time() * 1000)
    snapshot = read.files(storage, PLACE)
    assert snapshot is not None
    assert found[0].size_bytes == sum(Path(uri).stat().st_size for uri in snapshot.uris)


def test_a_table_that_is_not_there_has_no_versions(storage: Storage) -> None:
    assert versions.readable(storage, PLACE) == []


def test_one_table_at_several_versions_in_one_query(storage: Storage) -> None:
    replace(storage, 1, pa.table({"id": [1, 2], "n": [10, 20]}))
    replace(storage, 2, pa.table({"id": [2, 3], "n": [21, 30]}))
    changed = """
        WITH before AS (SELECT * FROM t AT (VERSION => 0))
        SELECT coalesce(a.id, b.id) AS id, a.n AS was, b.n AS is
        FROM before AS a FULL JOIN t AS b ON a.id = b.id ORDER BY 1
    """
    assert ask(storage, changed).rows == [[1, 10, None], [2, 20, 21], [3, None, 30]]
    both = "SELECT count(*) FROM t AT (VERSION => 0) a JOIN t b AT (VERSION => 1) USING (id)"
    assert ask(storage, both).rows == [[1]]
    inside = "SELECT id FROM t WHERE id NOT IN (SELECT t.id FROM t AT (VERSION => 0))"
    assert ask(storage, inside).rows == [[3]]
    shadowed = "WITH t AS (SELECT * FROM t AT (VERSION => 0)) SELECT max(t.n) FROM t"
    assert ask(storage, shadowed).rows == [[20]]
    union = "SELECT id FROM t AT (VERSION => 0) UNION ALL SELECT id FROM t AT (VERSION => 0) ORDER BY 1"
    assert ask(storage, union).rows == [[1], [1], [2], [2]]


def test_a_moment_means_the_version_that_was_the_newest_then(storage: Storage, ago: Callable[[float], Clock]) -> None:
    clock = ago(3)
    for n in range(3):
        replace(storage, n + 1, ids(n))
        clock.pass_(1)
    now = datetime.now(UTC)
    assert at(storage, (now - timedelta(hours=2.5)).isoformat()) == [[0]]
    assert at(storage, (now - timedelta(hours=1.5)).strftime("%Y-%m-%d %H:%M:%S")) == [[1]]
    assert at(storage, (now - timedelta(hours=0.5)).astimezone(None).isoformat()) == [[2]]
    exactly = versions.readable(storage, PLACE)[1].created_ms
    assert at(storage, datetime.fromtimestamp(exactly / 1000, UTC).isoformat()) == [[1]]


def test_what_cannot_be_read_is_told_with_what_can(storage: Storage, ago: Callable[[float], Clock]) -> None:
    clock = ago(9)
    for n, hours in enumerate((2, 2, 2, 3)):  # committed 9, 7, 5 and 3 hours ago
        replace(storage, n + 1, ids(n))
        clock.pass_(hours)
    maintain.tidy(storage, PLACE, keep_hours=6)
    assert numbers(storage) == [3, 2, 1]
    third, first = (datetime.fromtimestamp(v.created_ms / 1000, UTC) for v in versions.readable(storage, PLACE)[::2])
    range_ = f"The newest that can be read is 3 (of {_text(third)}), the oldest 1 (of {_text(first)})."
    gone = "can no longer be read: what it was made of has been deleted."
    now = datetime.now(UTC)
    early, long_ago, soon = (now - timedelta(hours=8), now - timedelta(hours=10), now + timedelta(hours=1))
    assert refusal(storage, 0) == f"Version 0 of the table `t` {gone} {range_}"
    assert refusal(storage, 4) == f"Version 4 of the table `t` is still to come. {range_}"
    assert refusal(storage, early.isoformat()) == f"The version of {_text(early)} of the table `t` {gone} {range_}"
    assert refusal(storage, long_ago.isoformat()) == (
        f"The version of {_text(long_ago)} of the table `t` does not exist: the table was made later. {range_}"
    )
    assert refusal(storage, soon.isoformat()) == (
        f"The version of {_text(soon)} of the table `t` is still to come. {range_}"
    )


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_all_of_the_grace_period_is_kept_and_nothing_else(storage: Storage, ago: Callable[[float], Clock]) -> None:
    """A commit every hour for a day, tidied at noon and at midnight."""
    clock = ago(24)
    content: list[list[int]] = []
    ends: list[float] = []
    for hour in range(24):
        refresh = hour % 5 == 0
        (replace if refresh else merge)(storage, hour + 1, ids(hour, hour + 1))
        content.append([hour, hour + 1] if refresh else sorted({*content[-1], hour, hour + 1}))
        ends += [clock.now] * (len(content) - 1 - len(ends))  # a version ends when the next one comes
        clock.pass_(1)
        if hour in (11, 23):
            maintain.tidy(storage, PLACE, keep_hours=6)
            state = read.state(storage, PLACE)
            assert state is not None
            content += [content[-1]] * (state.version + 1 - len(content))  # upkeep
            ends += [clock.now] * (len(content) - 1 - len(ends))
            clock.pass_(0)
    kept = [n for n in range(len(content)) if n >= len(ends) or ends[n] > clock.now - 6 * 3600]
    assert set(kept) <= set(numbers(storage))
    assert [at(storage, n) for n in kept] == [[[i] for i in content[n]] for n in kept]
    needed = {name for n in kept for file in replay(storage, PLACE, n).active.values() for name in file.names}
    assert {path.name for path in Path(storage.path(PLACE)).iterdir() if path.is_file()} == needed
    from_noon = list(range(12, len(content)))
    assert sorted(int(path.stem) for path in log_of(storage).glob("*.json")) == from_noon


def test_a_version_is_not_listed_when_the_log_does_not_lead_to_it(storage: Storage) -> None:
    for n in range(5):
        append(storage, n + 1, ids(n))
    (log_of(storage) / f"{1:020}.json").unlink()
    assert numbers(storage) == []
    assert refusal(storage, 2).endswith("has been deleted. None of its versions can be read.")


def test_versions_are_found_from_a_checkpoint_on(storage: Storage) -> None:
    for n in range(12):
        append(storage, n + 1, ids(n))
    maintain.tidy(storage, PLACE, keep_hours=6)  # joins the files and makes a checkpoint
    append(storage, 13, ids(99))
    for n in range(12):
        (log_of(storage) / f"{n:020}.json").unlink()
    assert [(v.number, v.row_count) for v in versions.readable(storage, PLACE)] == [(13, 13), (12, 12)]
    assert len(at(storage, 12)) == 12
    (log_of(storage) / f"{12:020}.json").unlink()  # nothing tells of it when it was made
    assert numbers(storage) == [13]


@pytest.mark.parametrize("when", ["before the files are listed", "after that"])
def test_a_version_that_is_deleted_while_it_is_read_is_told_as_gone(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    replace(storage, 1, ids(*range(100)))
    merge(storage, 2, ids(1))  # with a deletion vector
    replace(storage, 3, ids(2))
    opened = read.files

    def swept(*args: Any) -> Any:
        if when == "after that":
            found = opened(*args)
        maintain.tidy(storage, PLACE, keep_hours=0)
        return found if when == "after that" else opened(*args)

    time.sleep(0.01)
    monkeypatch.setattr(read, "files", swept)
    assert refusal(storage, 1).startswith("Version 1 of the table `t` can no longer be read")


def test_an_answer_says_how_long_it_holds(storage: Storage) -> None:
    for n in range(3):
        replace(storage, n + 1, ids(n))
    ends = {v.number: v.replaced_ms for v in versions.readable(storage, PLACE)}
    old = ask(storage, "SELECT * FROM t AT (VERSION => 0) a, t AT (VERSION => 1) b")
    assert (old.tables, old.fixed, old.replaced_ms) == (["t"], ["t"], ends[0])
    mixed = ask(storage, "SELECT * FROM t AT (VERSION => 1) a, t b")
    assert (mixed.fixed, mixed.replaced_ms) == ([], ends[1])
    newest = ask(storage, "SELECT * FROM t AT (VERSION => 2)")
    assert (newest.fixed, newest.replaced_ms) == ([], None)
    plain = ask(storage, "SELECT * FROM t")
    assert (plain.fixed, plain.replaced_ms) == ([], None)
