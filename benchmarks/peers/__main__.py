"""PostgreSQL to a lakehouse table: Hedgerow and its peers side by side, on one source, in turn.

    python -m benchmarks.peers [--rows 5000000] [--runs 3] [--only dlt,polars] [--write]

Starts its own PostgreSQL and its own Hedgerow. Each peer is installed into the user's cache folder the first time
(see `environments`). A peer is a process for each run, as its users start it: its seconds are from the start of that
process to its end, its memory that of the process and all it started. Hedgerow is a server: its seconds are from
`reload` over HTTP until a client sees Completed, its memory that of the server and all it started.
"""

import argparse
import tempfile
from pathlib import Path

from tests.support.server import Server

from benchmarks import orders
from benchmarks.measuring import circumstances, progress, publish
from benchmarks.peers import report
from benchmarks.peers.contest import Contest, Peers
from benchmarks.peers.environments import PeerError, environment
from benchmarks.peers.roster import PEERS

_NOTES = """\
Seconds are medians (least to greatest) of {runs}, each contender once in each round. "Times as fast" compares medians:
Hedgerow's, with an index on the cursor where there is one, to the contender's. What stands between slashes is in the
order of the columns of seconds. CPU is without PostgreSQL's; Hedgerow's includes the tidying after the run. Memory is
the greatest proportional set size, sampled every 0.2 s. Who had fewer rows is too slow for all of them here: its
rows/s are after taking off what 10,000 rows take it, which are mostly its start. "Equal" is count, distinct ids, sums,
the newest cursor, and about 5,000 rows value for value and type for type."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default=",".join(PEERS), help="peers, with commas between; `none` for Hedgerow alone")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    arguments = parser.parse_args()
    chosen = [] if arguments.only == "none" else arguments.only.split(",")
    if unknown := set(chosen) - set(PEERS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)} and none")
    peers: Peers = {}
    for peer in chosen:
        try:
            peers[peer] = environment(peer)
        except PeerError as error:
            progress(f"{peer}: {error}")
            peers[peer] = error
    publish("peers", _measured(arguments.rows, arguments.runs, peers), arguments.write)


def _measured(rows: int, runs: int, peers: Peers) -> str:
    with (
        tempfile.TemporaryDirectory(prefix="hedgerow-peers-", ignore_cleanup_errors=True) as work,
        orders.postgres() as postgres,
    ):
        progress(f"making {rows:,} rows")
        database = postgres.create_database()
        for name, count in (("orders", rows), ("tenth", rows // 10), ("small", min(rows, orders.SMALL))):
            orders.fill(database, name, count)
        with Server() as server:
            contest = Contest(orders.Client(server, database, ("orders", "small")), database, Path(work), rows, peers)
            whole = contest.full(runs)
            changed = contest.incremental(runs)
    command = f"python -m benchmarks.peers --rows {rows} --runs {runs}"
    tables = [report.full(contest.copies, whole), report.incremental(changed, orders.median(whole[0].costs["full"]))]
    return "\n\n".join([circumstances(command), *tables, _NOTES.format(runs=runs)])


if __name__ == "__main__":
    main()
