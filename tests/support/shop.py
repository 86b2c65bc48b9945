"""A small real table of every stored type, for whoever queries."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pyarrow as pa

from hedgerow.accounts.models import Project, User
from hedgerow.core.ids import uuid7
from hedgerow.lake import paths, write
from hedgerow.lake.storage import Storage
from hedgerow.lake.write import CommitFacts
from hedgerow.warehouse import tables
from hedgerow.warehouse.models import Table

ORDERS = pa.table(
    {
        "id": pa.array([1, 2, 9007199254740993], pa.int64()),
        "name": pa.array(["Ada", "Grace", None], pa.string()),
        "total": pa.array([Decimal("10.0000"), Decimal("-99999999999999.9999"), None], pa.decimal128(18, 4)),
        "weight": pa.array([1.5, float("nan"), float("inf")], pa.float64()),
        "share": pa.array([0.1, None, 0.2], pa.float32()),
        "paid": pa.array([True, False, None], pa.bool_()),
        "born": pa.array([date(1815, 12, 10), date(1906, 12, 9), None], pa.date32()),
        "seen": pa.array(
            [datetime(2026, 2, 1, 10, 0, 0, 500000, UTC), datetime(2026, 2, 3, tzinfo=UTC), None],
            pa.timestamp("us", "UTC"),
        ),
        "clock": pa.array([datetime(2026, 2, 1, 10), None, None], pa.timestamp("us")),  # noqa: DTZ001 - a wall clock
        "photo": pa.array([b"\x00\xff", b"", None], pa.binary()),
        "extra": pa.array(['{"tags": ["a", "b"], "n": 1}', "not json", None], pa.string()),
    }
)


def store(storage: Storage, location: str, rows: pa.Table = ORDERS, fence: int = 1) -> write.Written:
    """Make `rows` the whole table, as a run with this fence would."""
    return write.replace(
        storage, location, rows.schema, rows.to_batches(), lambda: CommitFacts("run", fence), lambda _rows: None
    )


def register(
    storage: Storage,
    project: Project,
    name: str,
    rows: pa.Table = ORDERS,
    *,
    source_id: UUID | None = None,
    created_by: User | None = None,
) -> Table:
    """A table with data that SQL of the project can name."""
    table_id = uuid7()
    location = paths.location(project.pk, name, table_id)
    written = store(storage, location, rows)
    return tables.register(
        project=project, name=name, location=location, columns=written.columns, row_count=written.row_count,
        version=written.version, owner_kind=tables.SOURCE if source_id else "", owner_id=str(source_id or ""),
        created_by=created_by, table_id=table_id,
    )  # fmt: skip
