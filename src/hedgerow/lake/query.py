"""One query over given tables, from text to rows. Runs only inside a query process (`lake.pool`).

Each query gets a DuckDB database of its own, in memory and empty but for one view for each table it names, or for each
version of it. A view reads exactly the Parquet files of one version; before the query is looked at, all other files,
the network, extensions and settings are closed for good (`lock_configuration`). `lake.guard` says what may be in the
SQL.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import duckdb

from hedgerow.core.errors import AppError, BadRequestError, BrokenError, ConflictError
from hedgerow.lake import dialect, duck, guard, read, results, versions
from hedgerow.lake.answer import Limits, Result, Version
from hedgerow.lake.storage import Storage

THREADS: Final = 2
LARGEST_ANSWER_MIB: Final = 32
_UNRESOLVED: Final = re.compile(r'(?:Referenced column|does not have a column named|Referenced table) "(.*?)"')

_USERS_FAULT: Final = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.InvalidTypeException,
    duckdb.NotImplementedException,
    duckdb.OutOfRangeException,
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.TypeMismatchException,
)


def connect(storage: Storage) -> duckdb.DuckDBPyConnection:
    """An empty database in memory that can reach the storage; not yet closed to all else."""
    return duck.connect(storage, threads=THREADS, temp_directory="")


def answer(connection: duckdb.DuckDBPyConnection, storage: Storage, job: Mapping[str, Any]) -> bytes:
    """Answer one job of the pool, as JSON: a Result, `{"versions": […]}` or `{"error": {"message", "broken"}}`."""
    try:
        limits = Limits(**job["limits"])
        if "versions" in job:
            found = {"versions": [asdict(version) for version in versions.readable(storage, job["versions"])]}
        else:
            found = asdict(run(connection, storage, job["sql"], job["values"], job["tables"], limits))
        text = json.dumps(found, allow_nan=False, separators=(",", ":")).encode()
        if len(text) <= LARGEST_ANSWER_MIB * 1024 * 1024:
            return text
        message, broken = f"The result is larger than {LARGEST_ANSWER_MIB} MiB. Ask for fewer rows or columns.", False
    except BadRequestError as error:
        message, broken = error.message, False
    except MemoryError:
        message, broken = _out_of_memory(limits).message, False
    except Exception as error:  # whatever it is, the server is told instead of left waiting
        message, broken = f"{type(error).__name__}: {error}", True
    return json.dumps({"error": {"message": message, "broken": broken}}).encode()


def run(
    connection: duckdb.DuckDBPyConnection,
    storage: Storage,
    sql: str,
    values: Mapping[str, Any],
    tables: Mapping[str, str],
    limits: Limits,
) -> Result:
    """Answer one query on a fresh `connection`. `tables` are all that may be read: name → location.

    Raises BadRequestError for everything the caller can change, BrokenError for the rest.
    """
    query = dialect.translate(sql, values, tables.__contains__, limits.rows)
    pinned = _pinned(storage, query, tables)
    try:
        return _read(connection, storage, query, tables, pinned, limits)
    except (BrokenError, ConflictError):
        _pinned(storage, query, tables)  # its error tells that an old version was deleted in the middle
        raise


def _read(
    connection: duckdb.DuckDBPyConnection,
    storage: Storage,
    query: dialect.Translated,
    tables: Mapping[str, str],
    pinned: Mapping[str, Version],
    limits: Limits,
) -> Result:
    try:
        seal(connection, {n: _snapshot(storage, v, tables, pinned.get(n)) for n, v in query.views.items()}, limits)
        stable = guard.check(connection, query.sql, frozenset(query.views))
        columns, types, rows, has_more = results.fetch(connection, query.sql, query.limit)
    except duckdb.Error as error:
        raise _explain(error, limits) from error
    names = {view.table for view in query.views.values()}
    moving = {view.table for name, view in query.views.items() if not _is_fixed(view, pinned.get(name))}
    ends = [version.replaced_ms for version in pinned.values() if version.replaced_ms is not None]
    return Result(
        columns=columns,
        types=types,
        rows=rows,
        has_more=has_more,
        limit=query.limit,
        offset=query.offset,
        sql=query.sql,
        tables=sorted(names),
        stable=stable,
        fixed=sorted(names - moving),
        replaced_ms=min(ends, default=None),
    )


def _pinned(storage: Storage, query: dialect.Translated, tables: Mapping[str, str]) -> dict[str, Version]:
    """The old versions that views want. Raises BadRequestError when one cannot be read."""
    return {
        name: versions.pick(storage, tables[view.table], view.table, view.at)
        for name, view in query.views.items()
        if view.at is not None
    }


def _is_fixed(view: dialect.View, version: Version | None) -> bool:
    """Whether newer data can never change what the view reads."""
    return isinstance(view.at, int) and version is not None and version.replaced_ms is not None


def seal(connection: duckdb.DuckDBPyConnection, snapshots: Mapping[str, read.Snapshot], limits: Limits) -> None:
    """Views over the snapshots, by name; then every door is shut."""
    files = [uri for snapshot in snapshots.values() for uri in snapshot.uris]
    connection.execute(f"SET memory_limit = '{limits.memory_mib}MiB'")
    connection.execute(f"SET allowed_paths = {duck.texts(files)}")
    connection.execute("SET enable_external_access = false")
    for name, snapshot in snapshots.items():
        duck.create_view(connection, name, snapshot)
    connection.execute("SET lock_configuration = true")


def _snapshot(
    storage: Storage, view: dialect.View, tables: Mapping[str, str], version: Version | None
) -> read.Snapshot:
    location = tables[view.table]
    found = read.files(storage, location, version.number if version else None)
    if found is None:
        raise BrokenError(f"The data of the table {view.table} is gone from {location}.")
    return found


def _explain(error: duckdb.Error, limits: Limits) -> AppError:
    """DuckDB's error as ours. Only kinds that speak of the query itself are shown; files and bugs are not."""
    text = str(error).split("\n\nLINE ")[0].split("\n\nCandidate")[0]
    text = text.split(" Error: ", 1)[-1].strip()
    if isinstance(error, duckdb.OutOfMemoryException):
        return _out_of_memory(limits)
    if "Max expression depth" in text:
        return BadRequestError(dialect.TOO_DEEP)
    if unresolved := _UNRESOLVED.search(text):
        return BadRequestError(f"Unable to resolve field: {unresolved.group(1)}")
    if isinstance(error, _USERS_FAULT):
        return BadRequestError(text)
    return BrokenError(f"The query failed: {error}")


def _out_of_memory(limits: Limits) -> BadRequestError:
    return BadRequestError(f"The query needs more memory than the limit of {limits.memory_mib} MiB.")
