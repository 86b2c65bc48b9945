"""DuckDB over a table's files: connections that reach the storage, and views of the rows that count."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from hedgerow.lake.read import Snapshot
from hedgerow.lake.storage import Storage

_CONFIG: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
}
_POSITIONS: Final = pa.schema([("file_index", pa.int64()), ("file_row_number", pa.int64())])


def connect(storage: Storage, **config: str | int | bool) -> duckdb.DuckDBPyConnection:
    """An empty database in memory that can reach the storage; not yet closed to all else."""
    connection = duckdb.connect(":memory:", config=_CONFIG | config)
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false; SET allow_persistent_secrets = false")
    if not storage.is_local:
        _reach_s3(connection, storage)
    return connection


def _reach_s3(connection: duckdb.DuckDBPyConnection, storage: Storage) -> None:
    """The extension of the installed wheel, its signature checked, and the keys of the environment for our prefix."""
    import duckdb_extension_httpfs

    folder = Path(duckdb_extension_httpfs.__file__).parent
    connection.execute(f"LOAD {text(str(next(folder.glob('extensions/*/httpfs.duckdb_extension'))))}")
    scheme, _, host = os.environ.get("AWS_ENDPOINT_URL", "").rpartition("://")
    facts = {
        "SCOPE": storage.uri(""),
        "REGION": storage.delta_options()["AWS_REGION"],
        "KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", ""),
        "SECRET": os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
        "SESSION_TOKEN": os.environ.get("AWS_SESSION_TOKEN", ""),
        "ENDPOINT": host,
        "URL_STYLE": "path" if host else "",
        "USE_SSL": "false" if scheme == "http" else "",
    }
    given = ", ".join(f"{name} {text(value)}" for name, value in facts.items() if value)
    connection.execute(f"CREATE SECRET storage (TYPE s3, {given})")


def create_view(connection: duckdb.DuckDBPyConnection, name: str, snapshot: Snapshot) -> None:
    """A view of the rows that count in a snapshot.

    Rows that were deleted are told by file and row number, in a table beside the view whose name no table can have.
    """
    columns = ", ".join(f"CAST({quoted(c.name)} AS {c.duckdb}) AS {quoted(c.name)}" for c in snapshot.columns)
    whole = [uri for uri in snapshot.uris if uri not in snapshot.deleted]
    parts = [f"SELECT {columns} FROM {scan(whole)}"] if whole else []  # noqa: S608 - our own names, quoted
    if snapshot.deleted:
        gone = quoted(f"{name}\n")
        arriving = pa.Table.from_batches(
            [_positions(index, rows) for index, rows in enumerate(snapshot.deleted.values())], _POSITIONS
        )
        connection.register("arriving\n", arriving)
        connection.execute(f'CREATE TABLE {gone} AS FROM "arriving\n"')
        connection.unregister("arriving\n")
        matches = f"ANTI JOIN {gone} USING (file_index, file_row_number)"
        parts.append(f"SELECT {columns} FROM {scan(snapshot.deleted)} {matches}")  # noqa: S608
    connection.execute(f"CREATE VIEW {quoted(name)} AS {' UNION ALL '.join(parts)}")


def _positions(index: int, rows: pa.Int64Array) -> pa.RecordBatch:
    return pa.record_batch([pa.repeat(pa.scalar(index, pa.int64()), len(rows)), rows], schema=_POSITIONS)


def scan(uris: Iterable[str]) -> str:
    """A table function over Parquet files: their columns, and `file_index` and `file_row_number` when asked for."""
    return f"read_parquet({texts(uris)})"


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def texts(values: Iterable[str]) -> str:
    """A list of texts."""
    return "[" + ", ".join(map(text, values)) + "]"


def text(value: str) -> str:
    """A text."""
    return "'" + value.replace("'", "''") + "'"
