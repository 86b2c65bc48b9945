"""Who takes part: for each way of using a peer, its command and where its table is afterwards.

Each is the smallest use that the peer's documentation shows for PostgreSQL to files that a lakehouse reads. ingestr
has no such destination and goes into a DuckDB file.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

ATTACHED = "peer"  # the name that a `table.duckdb` in the folder is attached by
_PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Way:
    """One way of using one peer.

    `command(environment, uri, table, folder)` is what runs; `output(folder, table)` is what DuckDB reads the result
    from. `first` makes the table that a merge needs, where that is another command. `part`: it is too slow for all
    rows, so it gets a tenth of them.
    """

    name: str
    peer: str
    command: Callable[[Path, str, str, Path], list[str]]
    output: Callable[[Path, str], str]
    part: bool = False
    first: Callable[[Path, str, str, Path], list[str]] | None = None


def settings(folder: Path, uri: str) -> dict[str, str]:
    """The environment of a peer's process: a home of its own, nothing of ours, and no calls to its maker."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    told = {"INGESTR_DISABLE_TELEMETRY": "true", "SLING_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    # SLING_DUCKDB_COMPUTE: Sling writes Parquet itself instead of downloading a DuckDB to do it
    sling = {
        "SLING_DUCKDB_COMPUTE": "false",
        "SLING_HOME_DIR": str(folder / "home"),
        "SOURCE": f"{uri}?sslmode=disable",
    }
    return kept | told | sling | {"HOME": str(folder / "home"), "TMPDIR": str(folder)}


def _dlt(backend: str, form: str, mode: str) -> Callable[[Path, str, str, Path], list[str]]:
    def command(environment: Path, uri: str, table: str, folder: Path) -> list[str]:
        program = [str(environment / "bin/python"), "-I", str(_PROGRAMS / "with_dlt.py")]
        return [*program, backend, form, mode, uri, table, str(folder)]

    return command


def _polars(mode: str) -> Callable[[Path, str, str, Path], list[str]]:
    def command(environment: Path, uri: str, table: str, folder: Path) -> list[str]:
        program = [str(environment / "bin/python"), "-I", str(_PROGRAMS / "with_polars.py")]
        return [*program, mode, uri, table, str(folder / "table")]

    return command


def _sling(environment: Path, _uri: str, table: str, folder: Path) -> list[str]:
    source = ["--src-conn", "SOURCE", "--src-stream", f"public.{table}"]
    target = ["--tgt-object", f"file://{folder}/table.parquet", "--mode", "full-refresh"]
    # the package that ships the program; the one named `sling` would download it
    program = next(environment.glob("lib/python3*/site-packages/sling_linux_amd64/bin/sling-linux-amd64"), "sling")
    return [str(program), "run", *source, *target]


def _ingestr(environment: Path, uri: str, table: str, folder: Path) -> list[str]:
    source = ["--source-uri", uri, "--source-table", f"public.{table}", "--sql-backend", "connectorx"]
    target = ["--dest-uri", f"duckdb:///{folder}/table.duckdb", "--dest-table", f"main.{table}"]
    return [str(environment / "bin/ingestr"), "ingest", "--yes", *source, *target]


def _delta(path: Path) -> str:
    files = ", ".join(f"'{uri}'" for uri in DeltaTable(path).file_uris())
    return f"read_parquet([{files}])"


def _in_dlt(folder: Path, table: str) -> str:
    return _delta(folder / "out/lake" / table)


def _in_polars(folder: Path, _table: str) -> str:
    return _delta(folder / "table")


FULL = (
    Way("dlt 1.31.0, connectorx → Delta", "dlt", _dlt("connectorx", "delta", "replace"), _in_dlt),
    Way(
        "dlt 1.31.0, connectorx → Parquet",
        "dlt",
        _dlt("connectorx", "parquet", "replace"),
        lambda folder, table: f"read_parquet('{folder}/out/lake/{table}/*.parquet')",
    ),
    Way("dlt 1.31.0, pyarrow → Delta", "dlt", _dlt("pyarrow", "delta", "replace"), _in_dlt, part=True),
    Way(
        "ingestr 0.14.155, connectorx → DuckDB",
        "ingestr",
        _ingestr,
        lambda _folder, table: f"{ATTACHED}.main.{table}",
    ),
    Way("Polars 2.1.0, connectorx → Delta", "polars", _polars("replace"), _in_polars),
    Way(
        "Sling 1.4.11 → Parquet",
        "sling",
        _sling,
        lambda folder, _table: f"read_parquet('{folder}/table.parquet')",
        part=True,
    ),
)
MERGE = (
    Way("dlt 1.31.0, connectorx, merge → Delta", "dlt", _dlt("connectorx", "delta", "merge"), _in_dlt),
    Way(
        "Polars 2.1.0, connectorx, delta-rs MERGE → Delta",
        "polars",
        _polars("merge"),
        _in_polars,
        first=_polars("replace"),
    ),
)
PEERS = sorted({way.peer for way in FULL})
