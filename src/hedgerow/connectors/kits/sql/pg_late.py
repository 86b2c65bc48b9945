"""Rows committed late: by transactions that began before a reading and ended after it.

Their cursor values may lie below what that reading reached. The next one finds them all the same, and reads nothing
twice, by what is kept with the cursor (`Seen`). How, why it is right, and its limits: docs/decisions/0003-late-rows.md.
"""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow.connectors.contract import Cursor
from hedgerow.connectors.kits.sql.pg_catalog import PgColumn, Relation, literal, quote
from hedgerow.connectors.kits.sql.pg_decode import furthest, source_text
from hedgerow.connectors.kits.sql.pg_types import Plan

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

ID: Final = Plan("{0}", "int64")
"""How the extra column with ids is read (see `Late.ids`)."""
MOST_IDS: Final = 1_000_000
"""So many ids are kept of transactions that ended while an older one was still open."""
LOOK_BACK: Final = "1 minute"
"""For times: applications often take the time before the transaction begins, and clocks differ."""
_LOW: Final = 2**32 - 1
_PREPARED: Final = "prepared:"
_BELOW: Final = "<"

# Transactions at work in this database, by their virtual ids, which are visible to every role; prepared ones have only
# a transaction id. Not among them: Hedgerow's own, which only read, and autovacuum, whose sessions have no user.
# Sessions of ours only read. Each operation has a name of its own: the same first word, then its id (`pg_silence`).
_LOOK: Final = """
    select txid_current_snapshot()::text, pg_is_in_recovery(), age('3'::xid), array(
        select case when l.pid is null then 'prepared:' || l.transactionid::text else l.virtualtransaction end
        from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid = l.pid
        where l.granted and l.mode = 'ExclusiveLock' and l.pid is distinct from pg_backend_pid()
          and (l.locktype = 'virtualxid' or l.locktype = 'transactionid' and l.pid is null)
          and (a.datid is null or a.datname = current_database() and a.usesysid is not null
               and not (a.usename = session_user and split_part(a.application_name, ' ', 1)
                        = split_part(current_setting('application_name'), ' ', 1))))
"""
# The heaps that hold a relation's rows, with the file of each: a rewrite of a table gives its rows other ids.
_FILES: Final = """
    with recursive part (oid) as (
        select %(oid)s::oid union select i.inhrelid from pg_catalog.pg_inherits i join part on i.inhparent = part.oid
    )
    select bool_and(c.relkind = 'p' or c.relkind = 'r' and coalesce(a.amname, 'heap') = 'heap'),
           coalesce(json_object_agg(c.oid, c.relfilenode::int8) filter (where c.relkind = 'r'), '{}'),
           txid_current_snapshot()::text
    from part join pg_catalog.pg_class c on c.oid = part.oid left join pg_catalog.pg_am a on a.oid = c.relam
"""


@dataclass(frozen=True)
class Snapshot:
    """What `txid_current_snapshot` says: ids below `first` had ended, those from `end` not, between them not `open`.

    `open` lists no subtransactions, and on a standby nothing.
    """

    first: int
    end: int
    open: tuple[int, ...]

    @staticmethod
    def parse(text: str) -> "Snapshot":
        """From `first:end:open,open,…`."""
        first, end, listed = text.split(":")
        return Snapshot(int(first), int(end), tuple(int(each) for each in listed.split(",") if each))


@dataclass(frozen=True)
class Look:
    """Who was at work just after `snapshot`, before the snapshot of the reading; ids from `next_id` were not given yet.

    `running` is empty on a standby, which does not know.
    """

    snapshot: Snapshot
    is_standby: bool
    next_id: int
    running: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What a reading had seen, kept with the cursor.

    Of the rows, by the id that wrote them: those below `first` but `open`, and those of `read`. Of the others, how
    small their cursor values may be: from `running` by transaction for those that were at work, `since` for those that
    began later; None: as small as can be. `files` as in `_FILES`, `end` as in `Snapshot`.
    """

    first: int
    end: int
    read: tuple[int, ...]
    open: tuple[int, ...]
    since: str | None
    running: Mapping[str, str | None]
    files: Mapping[str, int]

    @property
    def floors(self) -> set[str | None]:
        """The least cursor value of an unseen row is one of these."""
        return {self.since, *self.running.values()}

    def fits(self, files: Mapping[str, int], now: Snapshot) -> bool:
        """Whether rows still bear the ids of then: nothing was rewritten, and the server is no older copy."""
        return self.end <= now.end and all(files.get(oid, file) == file for oid, file in self.files.items())

    def dump(self) -> str:
        """For `contract.Reading.seen`. Of the ids, which ascend, the distances are kept."""
        steps = [after - before for before, after in pairwise((0, *self.read))]
        return json.dumps({**self.__dict__, "read": steps}, separators=(",", ":"))

    @staticmethod
    def load(text: str) -> "Seen":
        """What `dump` wrote."""
        kept = json.loads(text)
        return Seen(**{**kept, "read": tuple(accumulate(kept["read"])), "open": tuple(kept["open"])})


def look(connection: "Connection") -> Look | None:
    """Who is at work now; None when the server does not say. To be asked before the reading's transaction begins.

    Ends the transaction that `connection` is in. Raises psycopg.Error when the connection fails.
    """
    import psycopg

    try:
        connection.execute("set local statement_timeout = 0")  # the role's own may be short
        row = connection.execute(_LOOK).fetchone()
    except (psycopg.ProgrammingError, psycopg.NotSupportedError):  # not quite PostgreSQL, or its rights were narrowed
        row = None
    connection.rollback()
    if row is None:
        return None
    snapshot, is_standby, age, running = Snapshot.parse(row[0]), row[1], row[2], tuple(sorted(row[3]))
    next_id = snapshot.end + ((3 + age - snapshot.end) & _LOW)
    return Look(snapshot, is_standby, next_id, () if is_standby else running)


def start(
    connection: "Connection", relation: Relation, column: PgColumn, asked: Cursor, looked: Look | None
) -> "Late | None":
    """Prepare a reading in the snapshot of `connection`; None where rows do not tell who wrote them."""
    row = connection.execute(_FILES, {"oid": relation.oid}).fetchone()
    if looked is None or row is None or not row[0]:
        return None
    _, files, snapshot = row
    now = Snapshot.parse(snapshot)
    before = Seen.load(asked.seen) if asked.seen and asked.after is not None else None
    if before and not before.fits(files, now):
        before = None
    floor = _least(connection, column, before.floors) if before else None
    # Two parts of an inheritance tree may hold the same key.
    is_unique = relation.key_is_declared and relation.key == (column.name,) and (relation.kind == "p" or len(files) < 2)
    return Late(column, asked.after, looked, now, files, before, floor, is_unique)


def _least(connection: "Connection", column: PgColumn, values: Iterable[str | None]) -> str | None:
    """The least of these as PostgreSQL orders and prints them; None when one is None."""
    found = sorted(value for value in values if value is not None)
    if None in values or len(found) < 2:
        return None if None in values else found[0]
    listed = ", ".join(f"{literal(value)}::{column.declared}" for value in found)
    row = connection.execute(f"select least({listed})::text".encode()).fetchone()
    return str(row[0]) if row else None


@dataclass
class Late:
    """One reading's part: what it must read besides what is newer, and what it had seen in the end.

    `before` is what the reading of `after` had seen, None when unknown; `floor` the least of its floors.
    """

    column: PgColumn
    after: str | None
    looked: Look
    now: Snapshot
    files: Mapping[str, int]
    before: Seen | None
    floor: str | None
    is_unique: bool
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _read: set[int] = field(default_factory=set)
    _since: Any = None

    @property
    def ids(self) -> str | None:
        """An expression for each row: null when it was there before `looked` and is newer, else the id that wrote it.

        None when nothing was going on: all rows were.
        """
        if self._is_quiet and self.now.first == self.now.end:
            return None
        passed = f" or not {self._newer}" if self.before else ""
        return f"case when {self._id} >= {self.looked.snapshot.first}{passed} then {self._id} end"

    def condition(self) -> str:
        """Which rows to read when there is an `after`: the newer ones, and those committed late."""
        if self.before is None:
            return self._newer
        return f"{self._bound} and ({self._newer} or {self._unseen(self.before)})"

    def note(self, values: pa.Array, ids: pa.Array) -> None:
        """Take in a batch's cursor values and `ids`. May be called from several threads."""
        open_ids = pc.unique(ids.filter(pc.greater_equal(ids, self._first))).to_pylist()
        with self._lock:
            self._since = furthest(self._since, values.filter(ids.is_null()))
            self._read.update(open_ids)

    def finish(self, connection: "Connection", greatest: str | None) -> tuple[str | None, Seen | None, bool]:
        """After all batches, `greatest` being their greatest value: `cursor_to`, `seen` and `seen_moved`."""
        if greatest is not None and self.before and not self._is_newer(connection, greatest):
            greatest = None  # all that was read was late
        mark = self.after if greatest is None else greatest
        if mark is None:
            return None, None, False
        since = mark if self._is_quiet else self.after
        if self._since is not None and not self._is_quiet:
            since = source_text(self._since, self.column.plan)
        first, read = self._first, sorted({*self._read, *self._still_open(self.before)})
        if len(read) > MOST_IDS:
            read = read[-MOST_IDS:]
            first = read[0]
        listed = tuple(each for each in self.now.open if each < first)
        seen = Seen(first, self.now.end, tuple(read), listed, since, self._running(), self.files)
        return greatest, seen, self.before is None or self.before.floors != seen.floors

    # ---- rows --------------------------------------------------------------------------------------------------------

    @property
    def _first(self) -> int:
        """Rows below this id were all seen when this reading is done, but for those of transactions still open."""
        if self.before is not None:
            return max(self.now.first, self.before.first)
        # Of a table that was read before, without noting ids, nothing better is known than what the snapshot says.
        return self.now.first if self.after is None else self.now.end

    def _still_open(self, before: Seen | None) -> Iterable[int]:
        return (each for each in before.read if each >= self._first) if before else ()

    @property
    def _id(self) -> str:
        """The 64-bit id that wrote the row: the last one before `end` with these 32 bits. 1 and 2 are no one's."""
        end = self.now.end
        return f"({end} - (({end} - nullif(nullif(xmin::text::int8, 1), 2)) & {_LOW}))"

    @property
    def _newer(self) -> str:
        return f"{quote(self.column.name)} > {literal(self.after or '')}"

    @property
    def _bound(self) -> str:
        """The index of the cursor's column serves this. A value that is the only one of its kind cannot come late."""
        name = quote(self.column.name)
        if self.floor is None:
            return f"{name} is not null"
        floor = literal(self.floor)
        if self.column.plan.stored in ("timestamp", "instant") and not self.floor.endswith("BC"):
            return f"{name} >= {floor}::{self.column.declared} - interval '{LOOK_BACK}'"
        return f"{name} {'>' if self.is_unique else '>='} {floor}"

    def _unseen(self, before: Seen) -> str:
        later = f"{self._id} >= {before.first}"
        if before.read:
            later += f" and {self._id} not in (select unnest({_array(before.read)}))"  # hashed, by any version
        return f"{later} or {self._id} in (select unnest({_array(before.open)}))" if before.open else later

    def _is_newer(self, connection: "Connection", value: str) -> bool:
        declared = self.column.declared
        statement = f"select {literal(value)}::{declared} > {literal(self.after or '')}::{declared}"
        row = connection.execute(statement.encode()).fetchone()
        return row is not None and bool(row[0])

    # ---- transactions ------------------------------------------------------------------------------------------------

    @property
    def _is_quiet(self) -> bool:
        """Whether everything this reading sees was there before `looked`. A standby's snapshots do not tell enough."""
        is_clear = self.now.first == self.now.end or not self.looked.is_standby
        return self.looked.snapshot == self.now and is_clear

    def _running(self) -> dict[str, str | None]:
        """Transactions that may yet commit rows this reading did not see, each with the least value it may hold."""
        before, running = self.before, self.looked.running
        known = before.running if before else {}
        if self.looked.is_standby:
            running = self._running_on_primary(known)
        is_same_server = all(each.startswith(_BELOW) == self.looked.is_standby for each in known)
        fresh = before.since if before and is_same_server else self.floor
        # A prepared transaction was known by another name before, or not yet: it is as old as any.
        return {
            each: known[each] if each in known else self.floor if each.startswith(_PREPARED) else fresh
            for each in running
        }

    def _running_on_primary(self, known: Iterable[str]) -> tuple[str, ...]:
        """On a standby: names for "those with ids below n", for as long as there may be some left."""
        first, next_id = self.looked.snapshot.first, self.looked.next_id
        left = [each for each in known if each.startswith(_BELOW) and int(each[1:]) > first]
        return (*left, f"{_BELOW}{next_id}") if first < next_id else tuple(left)


def _array(ids: Iterable[int]) -> str:
    return f"'{{{','.join(map(str, ids))}}}'::int8[]"
