"""Reading by rows: for few rows, where starting the fast reader would take longest, and for very wide ones.

The fast reader fills vectors of 2,048 rows, whatever their size. This one fetches as many as the memory allows from a
server-side cursor, in the binary format, and hands over the same columns. It looks at single values, so it is only
used where there are few of them or where their size is what takes time.
"""

import contextlib
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from hedgerow.connectors.kits.sql.pg_connect import Target, query_error
from hedgerow.connectors.kits.sql.pg_decode import DAY_MICROSECONDS
from hedgerow.connectors.kits.sql.pg_types import Plan, Stored

if TYPE_CHECKING:
    import psycopg

Read = Callable[[bytes], Any]
# PostgreSQL counts from 2000-01-01.
_EPOCH_DAYS: Final = 10_957
_INT32_MAX: Final = 2**31 - 1
_INT64_MAX: Final = 2**63 - 1


def _integer(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


def _date(value: bytes) -> int:
    """Days since 1970; what lies beyond an int32 (infinity) stays beyond what is kept."""
    return max(-_INT32_MAX, min(_integer(value) + _EPOCH_DAYS, _INT32_MAX))


def _time(value: bytes) -> int:
    """Microseconds since 1970; the same for an int64."""
    return min(_integer(value) + _EPOCH_DAYS * DAY_MICROSECONDS, _INT64_MAX)


_WIRE: Final[dict[Stored, tuple[pa.DataType, Read]]] = {
    "bool": (pa.bool_(), b"\1".__eq__),
    "int16": (pa.int16(), _integer),
    "int32": (pa.int32(), _integer),
    "int64": (pa.int64(), _integer),
    "float32": (pa.float32(), lambda value: struct.unpack(">f", value)[0]),
    "float64": (pa.float64(), lambda value: struct.unpack(">d", value)[0]),
    "date": (pa.int32(), _date),
    "timestamp": (pa.int64(), _time),
    "instant": (pa.int64(), _time),
}


class RowSession:
    """One connection in the shared snapshot; the same to the outside as `pg_session.Session`."""

    def __init__(self, where: Target, settings: Sequence[str], plans: Sequence[Plan]) -> None:
        """Connect, begin a read-only transaction of one snapshot, and run `settings` in it, in order."""
        self._plans = plans
        self._connection = where.connect()
        self.backend = self._connection.info.backend_pid
        self._connection.execute("set transaction isolation level repeatable read, read only")
        for statement in settings:
            self._connection.execute(statement.encode())

    def batches(self, query: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The answer in batches of so many rows. Raises OutsideError kinds with the database's own message."""
        import psycopg

        try:
            self._connection.execute(f"declare read_by_rows no scroll cursor for {query}".encode())
            while True:
                found = self._connection.execute(f"fetch {rows} from read_by_rows".encode(), binary=True).pgresult
                if found is None or not found.ntuples:
                    return
                columns = [_column(found, place, plan) for place, plan in enumerate(self._plans)]
                yield pa.RecordBatch.from_arrays(columns, names=[f"c{place}" for place in range(len(columns))])
        except psycopg.Error as error:
            raise query_error(error) from None

    def close(self) -> None:
        """End the connection."""
        import psycopg

        with contextlib.suppress(psycopg.Error):
            self._connection.close()


def _column(found: "psycopg.pq.abc.PGresult", place: int, plan: Plan) -> pa.Array:
    raw = [found.get_value(row, place) for row in range(found.ntuples)]
    if plan.stored not in _WIRE:
        values = pa.array(raw, pa.binary())
        return values.cast(pa.string()) if plan.stored == "decimal" else values
    arrow_type, read = _WIRE[plan.stored]
    return pa.array([None if value is None else read(value) for value in raw], arrow_type)
