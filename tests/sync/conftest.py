"""A source with real rows in memory, and a worker that runs in the test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from django.conf import settings as django_settings
from django.db import transaction

from hedgerow.accounts import services as accounts
from hedgerow.accounts.models import Project
from hedgerow.connectors import registry
from hedgerow.connectors.contract import Column, Connector, Reach, Reading, ReadRequest, Settings, SourceTable
from hedgerow.connectors.spec import Input, Spec
from hedgerow.core.clock import now
from hedgerow.lake.storage import Storage
from hedgerow.sources.models import Source
from hedgerow.sources.models import SourceTable as Row
from hedgerow.sync import lifecycle, run
from hedgerow.sync.erasing import location_of
from hedgerow.sync.models import Run
from hedgerow.work import kinds, queue
from hedgerow.work.models import Task, Worker

SECRET = "hush-hush-77"
PEOPLE = pa.schema([("id", pa.int64()), ("name", pa.string()), ("seen", pa.int64())])


@dataclass
class Rows:
    """A connector over Arrow tables in memory. `failures` are raised one after the other, in the middle of a read.

    `seen` and `seen_moved` are what it says of every reading.
    """

    tables_: dict[str, pa.Table] = field(default_factory=dict)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    reads: list[ReadRequest] = field(default_factory=list)
    between: Any = None
    unique: bool = True
    seen: str | None = None
    seen_moved: bool = False
    spec: Spec = Spec(name="Demo", fields=(Input("token", "Token", type="password", secret=True),), targets=())

    def put(self, table: str, *rows: tuple[int | None, str, int | None]) -> None:
        """The rows of a table: (id, name, seen)."""
        self.tables_[table] = pa.Table.from_pylist([dict(zip(PEOPLE.names, row, strict=True)) for row in rows], PEOPLE)

    def check(self, settings: Settings, reach: Reach) -> None:
        """Always there."""

    def tables(self, settings: Settings, reach: Reach, *, count_rows: bool = False) -> list[SourceTable]:
        """All tables in memory, with integer columns as cursors."""
        return [
            SourceTable(
                name,
                tuple(
                    Column(
                        f.name,
                        str(f.type),
                        "integer" if pa.types.is_integer(f.type) else "string",
                        cursor_type="integer" if pa.types.is_integer(f.type) else None,
                    )
                    for f in table.schema
                ),
                self.keys.get(name, ("id",)),
            )
            for name, table in sorted(self.tables_.items())
        ]

    def check_key(self, settings: Settings, reach: Reach, table: str, key: tuple[str, ...]) -> bool:
        """As the test says."""
        return self.unique

    @contextmanager
    def read(self, settings: Settings, reach: Reach, request: ReadRequest) -> Iterator[Reading]:
        """The rows after the cursor, one batch per row."""
        self.reads.append(request)
        table = self.tables_[request.table]
        cursor = request.cursor
        if cursor and cursor.after is not None:
            table = table.filter(pc.greater(table[cursor.field], int(cursor.after)))
        reading = Reading(table.schema, self._batches(table), seen=self.seen, seen_moved=self.seen_moved)
        if cursor:
            greatest = pc.max(table[cursor.field]).as_py()
            reading.cursor_to = None if greatest is None else str(greatest)
        yield reading

    def _batches(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(table.to_batches(max_chunksize=1)):
            if number == 1 and self.between:
                self.between()
            if number == 1 and self.failures:
                raise self.failures.pop(0)
            yield batch


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    """The server's connector for `Demo`, with one table `people` of two rows."""
    connector = Rows()
    connector.put("people", (1, "Ada", 10), (2, "Grace", 20))

    def get(_: str) -> Connector:
        return connector

    monkeypatch.setattr(registry, "get", get)
    monkeypatch.setattr(registry, "is_known", lambda name: name == "Demo")
    return connector


@pytest.fixture
def project(db: None) -> Project:
    return accounts.create_project("Shop", accounts.create_user("ann@example.com", None))


@dataclass
class Installation:
    """A connected source, and the worker's part played step by step."""

    project: Project
    source: Source

    def table(self, name: str = "people") -> Row:
        """The source table as it stands now."""
        return Row.objects.select_related("table", "source").get(source=self.source, name=name)

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        return list(Run.objects.filter(source_table__source=self.source).order_by("created_at", "id"))

    def work(self, times: int = 20) -> None:
        """Do what a worker would until nothing is due, waiting for no delay."""
        worker, _ = Worker.objects.get_or_create(id="test", defaults={"until": now() + timedelta(hours=1)})
        for _ in range(times):
            Task.objects.update(not_before=now())
            tasks = queue.claim(worker.id, 1)
            if not tasks:
                return
            self.take_up(tasks[0])

    def take_up(self, task: Task) -> None:
        """One start of one task, in this process."""
        kind = kinds.get(task.kind)
        arguments = kind.start(task)
        if arguments is None:
            queue.finish(task)
            return
        if task.kind == "sync":
            run_id, fence = arguments
            code = run.execute(run_id, fence, django_settings.CONFIG)
        else:
            Storage(django_settings.CONFIG.storage).delete(*arguments)
            code = 0
        with transaction.atomic():
            delay = kind.settle(task, code)
            if delay is None:
                queue.finish(task)
            else:
                queue.put_back(task, delay)

    def stored(self, name: str = "people") -> list[tuple[Any, ...]]:
        """The rows of the Delta table, read by another reader, in order."""
        import polars as pl

        uri = Storage(django_settings.CONFIG.storage).uri(location_of(self.table(name)))
        return sorted(pl.read_delta(uri).rows(), key=lambda row: tuple(str(v) for v in row))


def connect(project: Project, **table: Any) -> Installation:
    """Connect the source with its table `people` enabled; its first run is queued, not worked on."""
    schema = {"name": "people", "should_sync": True, "sync_type": "full_refresh", **table}
    data = {"source_type": "Demo", "payload": {"token": SECRET, "schemas": [schema]}}
    return Installation(project, lifecycle.connect(project=project, user=None, data=data))


CURSOR = {"incremental_field": "seen", "incremental_field_type": "integer"}
INCREMENTAL = {"sync_type": "incremental", **CURSOR}
APPEND = {"sync_type": "append", **CURSOR}
