"""The contest: every contender in turn, round after round, so that the machine's mood moves all of them alike."""

import os
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.postgres import PostgresDatabase

from benchmarks import orders
from benchmarks.measuring import progress
from benchmarks.orders import Client, Cost
from benchmarks.peers import checks
from benchmarks.peers.environments import PeerError
from benchmarks.peers.roster import FULL, MERGE, Way
from benchmarks.peers.running import run

HEDGEROW, NO_INDEX = "Hedgerow", "Hedgerow, no index on the cursor"
NOTHING = "nothing"
Peers = dict[str, Path | PeerError]  # the environment of each peer that takes part, or why there is none


@dataclass
class Line:
    """What one contender did: costs by what was asked of it, and how it differs from the source (None: not seen)."""

    name: str
    rows: int
    costs: dict[str, list[Cost]] = field(default_factory=lambda: defaultdict(list))
    failure: str = ""
    losses: list[str] | None = None


class Contest:
    """One source, one Hedgerow, some peers. `work` is a folder for what the peers write, theirs to fill."""

    def __init__(self, client: Client, database: PostgresDatabase, work: Path, rows: int, peers: Peers) -> None:
        self.client, self.database, self.work, self.rows, self.peers = client, database, work, rows, peers
        self.uri = orders.reader(database)
        self.copies: list[float] = []

    def full(self, runs: int) -> list[Line]:
        """The whole table, and once more the small one for what a start costs."""
        ours = Line(HEDGEROW, self.rows)
        lines = [ours, *(self._line(way) for way in self._ways(FULL))]
        orders.copy_to_nowhere(self.database)
        self.client.reload("small")
        for turn in range(1, runs + 1):
            progress(f"full refresh, round {turn} of {runs}")
            self._ours(ours, "small", lambda: self.client.reload("small"))
            self.copies.append(orders.copy_to_nowhere(self.database))
            self._ours(ours, "full", lambda: self.client.reload("orders"))
            for line, way in zip(lines[1:], self._ways(FULL), strict=True):
                table = "tenth" if way.part else "orders"
                self._theirs(line, "small", way, "small", afresh=True)
                self._theirs(line, "full", way, table, afresh=True)
                if turn == runs:
                    self._check(line, way, table)
                shutil.rmtree(self._folder(way), ignore_errors=True)
        ours.losses = checks.hedgerow_losses(self.database, self.client.server)
        return lines

    def incremental(self, runs: int) -> list[Line]:
        """One of a hundred rows changed: scattered over the keys, then at their end; then nothing at all."""
        ours, bare = Line(HEDGEROW, self.rows), Line(NO_INDEX, self.rows)
        merging = [(self._line(way), way) for way in self._ways(MERGE)]
        self.client.by_cursor("orders")
        self.client.reload("orders")
        for line, way in merging:
            progress(f"the first load of {way.name}")
            self._theirs(line, "first", way, "orders", afresh=True)
        orders.index_cursor(self.database)
        for turn in range(1, runs + 1):
            progress(f"incremental, round {turn} of {runs}")
            for what in (*orders.CHANGES, NOTHING):
                self._change(what)
                self._ours(ours, what, lambda: self.client.reload("orders"))
                for line, way in merging:
                    self._theirs(line, what, way, "orders", afresh=False)
        for line, way in merging:
            self._check(line, way, "orders")
        orders.drop_index(self.database)
        for turn in range(1, runs + 1):
            progress(f"incremental without an index, round {turn} of {runs}")
            for what in (*orders.CHANGES, NOTHING):
                self._change(what)
                self._ours(bare, what, lambda: self.client.reload("orders"))
        ours.losses = bare.losses = checks.hedgerow_losses(self.database, self.client.server)
        return [ours, bare, *(line for line, _ in merging)]

    def _ways(self, ways: tuple[Way, ...]) -> list[Way]:
        return [way for way in ways if way.peer in self.peers]

    def _line(self, way: Way) -> Line:
        peer = self.peers[way.peer]
        failure = str(peer) if isinstance(peer, PeerError) else ""
        return Line(way.name, self.rows // 10 if way.part else self.rows, failure=failure)

    def _folder(self, way: Way) -> Path:
        return self.work / str((*FULL, *MERGE).index(way))

    def _change(self, what: str) -> None:
        if what != NOTHING:
            orders.change(self.database, what)

    def _ours(self, line: Line, what: str, reload: Callable[[], Cost]) -> None:
        os.sync()  # no run pays for what another left to be written
        cost = reload()
        progress(f"  {line.name}, {what}: {cost.wall:.2f} s")
        line.costs[what].append(cost)

    def _theirs(self, line: Line, what: str, way: Way, table: str, *, afresh: bool) -> None:
        """One run; who has failed once is left alone from then on."""
        environment = self.peers[way.peer]
        if line.failure or isinstance(environment, PeerError):
            return
        os.sync()
        try:
            cost = run(way, environment, self.uri, table, self._folder(way), afresh=afresh)
        except PeerError as error:
            line.failure = str(error)
            progress(f"  {way.name}, {what}: {error}")
            return
        progress(f"  {way.name}, {what}: {cost.wall:.2f} s")
        line.costs[what].append(cost)

    def _check(self, line: Line, way: Way, table: str) -> None:
        if line.failure:
            return
        try:
            line.losses = checks.losses(self.database, table, way, self._folder(way))
        except Exception as error:  # another's files, read by yet another's library: whatever it is, the table says it
            line.failure = f"its table could not be checked: {type(error).__name__}: {error}"[:160]
