"""The comparison with peers is fair only if it sees what a peer lost, and measures all that a peer started."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import psutil
import pyarrow as pa
import pytest
from benchmarks.peers import checks, running
from benchmarks.peers.environments import PeerError
from benchmarks.peers.roster import PEERS, Way

from benchmarks import orders
from tests.house.pages import ROOT
from tests.support.postgres import PostgresDatabase

GOOD = {name: types[0] for name, types in checks.TYPES.items()}


@pytest.fixture
def source(pg_database: PostgresDatabase) -> PostgresDatabase:
    orders.fill(pg_database, "orders", 500)
    return pg_database


def _way(program: str) -> Way:
    return Way(
        name="a program of ours",
        peer="ours",
        command=lambda _environment, _uri, _table, _folder: [sys.executable, "-I", "-c", program],
        output=lambda folder, _table: f"read_parquet('{folder}/table.parquet')",
    )


def _leave(source: PostgresDatabase, folder: Path, where: str = "true", **other: str) -> list[str]:
    """What the checks say of a Parquet file of the source's rows, in which other columns may be another expression."""
    texts = ", ".join(f"{name}::text" for name in GOOD)
    rows = source.execute(f"select {texts} from orders")
    columns = ", ".join(f"{other.get(name, f'{name}::{kind}')} as {name}" for name, kind in GOOD.items())
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("texts", pa.table(dict(zip(GOOD, map(list, zip(*rows, strict=True)), strict=True))))
        connection.execute(f"copy (select {columns} from texts where {where}) to '{folder}/table.parquet'")
    return checks.losses(source, "orders", _way(""), folder)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_table_that_equals_the_source_has_no_losses(source: PostgresDatabase, tmp_path: Path) -> None:
    assert _leave(source, tmp_path) == []


def test_every_loss_is_named(source: PostgresDatabase, tmp_path: Path) -> None:
    changed = {"amount": "amount::decimal(38,10)", "attrs": "replace(attrs, ' ', '')", "channel": "channel::bigint"}

    found = _leave(source, tmp_path, "id != '7'", **changed)

    assert found[:3] == ["**rows or sums differ**", "channel is bigint", "amount is decimal(38,10)"]
    assert found[3:] == ["**other rows**"]


def test_a_value_that_changed_is_shown(source: PostgresDatabase, tmp_path: Path) -> None:
    assert _leave(source, tmp_path, attrs="replace(attrs, ' ', '')", status="upper(status)") == [
        "status differs: `PAID` for `paid`",
        """attrs is other text, though equal as JSON: `{"src":1,"tags":[1,"x"]}` for `{"src": 1, "tags": [1, "x"]}`""",
    ]


def test_a_column_that_is_gone_is_named(source: PostgresDatabase, tmp_path: Path) -> None:
    duckdb.execute(f"copy (select 1 as id) to '{tmp_path}/table.parquet'")

    assert checks.losses(source, "orders", _way(""), tmp_path)[0].startswith("without amount, attrs")


def test_a_peers_children_are_measured_with_it(tmp_path: Path) -> None:
    child = "b = bytearray(64 << 20); import time; t = time.process_time()\nwhile time.process_time() < t + 0.6: pass"
    way = _way(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")

    cost = running.run(way, tmp_path, "", "", tmp_path / "work", afresh=True)

    assert cost.mib > 60
    assert 0.6 <= cost.cpu <= cost.wall + 0.5


def test_a_peer_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="failed: no such luck"):
        running.run(_way("raise SystemExit('no such luck')"), tmp_path, "", "", tmp_path / "work", afresh=True)


def test_a_peer_that_hangs_is_ended_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LONGEST", 1)
    way = replace(_way(""), command=lambda *_: ["sh", "-c", "sleep 60 & echo $!; wait"])

    with pytest.raises(PeerError, match="not done within 1 s"):
        running.run(way, tmp_path, "", "", tmp_path / "work", afresh=True)

    started = int((tmp_path / "work/log").read_text())
    deadline = time.monotonic() + 10
    while _runs(started):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("peer", PEERS)
def test_every_package_of_a_peer_is_pinned_by_hashes(peer: str) -> None:
    packages = (ROOT / f"benchmarks/peers/{peer}.txt").read_text().replace("\\\n", "").splitlines()
    named = [line for line in packages if line and not line.lstrip().startswith("#")]

    assert named
    assert [line for line in named if "==" not in line or "--hash=sha256:" not in line] == []
