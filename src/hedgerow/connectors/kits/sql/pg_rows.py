"""Reading by rows: for few rows, where starting the fast reader would take longest, and for very wide ones.

The fast reader fills vectors of 2,048 rows, whatever their size. This one fetches as many as the memory allows from a
server-side cursor, in the binary format, and hands over the same columns. It makes an object of each value, so it is
only used where there are few of them or where their size is what takes time.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import psycopg
import pyarrow as pa
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format

from hedgerow.connectors.kits.sql.pg_connect import Target, query_error
from hedgerow.connectors.kits.sql.pg_decode import DAY_MICROSECONDS, arrow_type
from hedgerow.connectors.kits.sql.pg_types import Plan

_EPOCH_DAYS: Final = 10_957
"""From 1970-01-01 to 2000-01-01, where PostgreSQL counts from."""
_INT32_MAX: Final = 2**31 - 1
_INT64_MAX: Final = 2**63 - 1
_COUNTS: Final = {"date": pa.int32(), "timestamp": pa.int64(), "instant": pa.int64(), "decimal": pa.string()}


class _Days(Loader):
    """A date as days since 1970; what lies beyond an int32 (infinity) stays beyond what is kept."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        return max(-_INT32_MAX, min(int.from_bytes(data, "big", signed=True) + _EPOCH_DAYS, _INT32_MAX))


class _Microseconds(Loader):
    """A time as microseconds since 1970; the same for an int64."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        return min(int.from_bytes(data, "big", signed=True) + _EPOCH_DAYS * DAY_MICROSECONDS, _INT64_MAX)


class RowSession:
    """One connection in the shared snapshot; the same to the outside as `pg_session.Session`."""

    def __init__(self, where: Target, settings: Sequence[str], plans: Sequence[Plan]) -> None:
        """Connect, begin a read-only transaction of one snapshot, and run `settings` in it, in order."""
        self._plans = plans
        self._connection = where.connect()
        self.backend = self._connection.info.backend_pid
        self._connection.adapters.register_loader("date", _Days)
        for name in ("timestamp", "timestamptz"):
            self._connection.adapters.register_loader(name, _Microseconds)
        self._connection.execute("set transaction isolation level repeatable read, read only")
        for statement in settings:
            self._connection.execute(statement.encode())

    def batches(self, query: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The answer in batches of so many rows. Raises OutsideError kinds with the database's own message."""
        try:
            self._connection.execute(f"declare read_by_rows no scroll cursor for {query}".encode())
            while found := self._connection.execute(f"fetch {rows} from read_by_rows".encode(), binary=True).fetchall():
                columns = [
                    _column(values, plan) for values, plan in zip(zip(*found, strict=True), self._plans, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, names=[f"c{place}" for place in range(len(columns))])
        except psycopg.Error as error:
            raise query_error(error) from None

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(psycopg.Error):
            self._connection.close()


def _column(values: tuple[Any, ...], plan: Plan) -> pa.Array:
    """The values as `pg_decode.decode` takes them."""
    if plan.is_text and any(isinstance(value, bytes) for value in values):
        return pa.array(values, pa.binary())
    return pa.array(values, _COUNTS.get(plan.stored) or arrow_type(plan))
