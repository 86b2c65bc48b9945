"""What every connector promises. A test class derives from `ConnectorPromises` and gives it a `subject`."""

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from hedgerow.connectors import registry
from hedgerow.connectors.contract import Connector, Cursor, Reach, ReadRequest, Settings, SourceTable
from hedgerow.connectors.spec import Field, Input, Select, SwitchGroup, describe
from hedgerow.core.errors import AppError, OutsideError, UnreachableError

SECRET_WORDS = ("password", "secret", "token", "api_key", "private_key", "passphrase")
LEAVE_SECONDS = 5.0


@dataclass(frozen=True)
class Subject:
    """A connector with settings that work.

    `changing` names a table whose rows change and grow when `advance` is called, `cursor` its cursor column.
    `broken` maps a word to settings that must fail; `unreachable` those where nobody answers, if that can be.
    """

    connector: Connector
    settings: Settings
    changing: str
    cursor: str
    advance: Callable[[], None]
    secrets: tuple[str, ...] = ()
    unreachable: Settings | None = None
    broken: tuple[Settings, ...] = ()
    reach: Reach = Reach()

    def tables(self) -> dict[str, SourceTable]:
        """What is on offer, by name."""
        return {table.name: table for table in self.connector.tables(self.settings, self.reach)}

    def read(self, table: str, cursor: Cursor | None = None) -> tuple[pa.Table, str | None]:
        """All rows and the cursor reached."""
        request = ReadRequest(table, cursor)
        with self.connector.read(self.settings, self.reach, request) as reading:
            rows = pa.Table.from_batches(list(reading.batches), reading.schema)
        return rows, reading.cursor_to

    def cursor_after(self, after: str | None) -> Cursor:
        """The cursor of the changing table, behind a value."""
        columns = {column.name: column for column in self.tables()[self.changing].columns}
        kind = columns[self.cursor].cursor_type
        assert kind is not None
        return Cursor(self.cursor, kind, after)


class ConnectorPromises:
    """The standard tests. Override `subject`."""

    @pytest.fixture
    def subject(self) -> Subject:
        raise NotImplementedError

    def test_the_form_is_complete_and_marks_every_secret(self, subject: Subject) -> None:
        spec = subject.connector.spec
        assert registry.get(spec.name) is subject.connector
        assert json.loads(json.dumps(describe(spec)))["name"] == spec.name
        names = [field.name for field in spec.fields]
        assert len(names) == len(set(names))
        for field in _inputs(spec.fields):
            if any(word in field.name for word in SECRET_WORDS):
                assert field.secret or field.type == "password", field.name

    def test_good_settings_pass_the_check(self, subject: Subject) -> None:
        subject.connector.check(subject.settings, subject.reach)

    def test_tables_come_in_a_stable_order(self, subject: Subject) -> None:
        first = subject.connector.tables(subject.settings, subject.reach)
        assert first
        assert [table.name for table in first] == sorted({table.name for table in first})
        assert subject.connector.tables(subject.settings, subject.reach) == first

    def test_columns_keys_and_cursors_exist_in_the_data(self, subject: Subject) -> None:
        for name, table in subject.tables().items():
            rows, _ = subject.read(name)
            assert rows.schema.names == [column.name for column in table.columns]
            assert set(table.key) <= set(rows.schema.names)
            for column in table.cursor_columns:
                _, reached = subject.read(name, Cursor(column.name, column.cursor_type or "integer"))
                assert (reached is not None) == (rows[column.name].null_count < rows.num_rows)

    def test_columns_that_may_not_be_null_are_not(self, subject: Subject) -> None:
        for name, table in subject.tables().items():
            rows, _ = subject.read(name)
            assert [c.name for c in table.columns if not c.nullable and rows[c.name].null_count] == []

    def test_every_batch_has_the_declared_schema(self, subject: Subject) -> None:
        for name in subject.tables():
            with subject.connector.read(subject.settings, subject.reach, ReadRequest(name)) as reading:
                for batch in reading.batches:
                    assert batch.schema.equals(reading.schema)
                    batch.validate(full=True)

    def test_offered_keys_identify_rows(self, subject: Subject) -> None:
        for name, table in subject.tables().items():
            rows, _ = subject.read(name)
            if table.key and subject.connector.check_key(subject.settings, subject.reach, name, table.key):
                assert rows.group_by(list(table.key)).aggregate([]).num_rows == rows.num_rows

    def test_incremental_reads_neither_lose_nor_repeat_a_row(self, subject: Subject) -> None:
        key = subject.tables()[subject.changing].key
        first, reached = subject.read(subject.changing, subject.cursor_after(None))
        subject.advance()
        second, further = subject.read(subject.changing, subject.cursor_after(reached))
        third, stayed = subject.read(subject.changing, subject.cursor_after(further))
        now, _ = subject.read(subject.changing)
        assert second.num_rows > 0
        assert third.num_rows == 0
        assert stayed is None
        assert second[subject.cursor].to_pylist() == sorted(second[subject.cursor].to_pylist())
        assert not _same_rows(first, second)
        assert _by_key(first, key) | _by_key(second, key) == _by_key(now, key)

    def test_leaving_early_takes_no_time(self, subject: Subject) -> None:
        request = ReadRequest(subject.changing)
        with subject.connector.read(subject.settings, subject.reach, request) as reading:
            next(iter(reading.batches))
            left_at = time.monotonic()
        assert time.monotonic() - left_at < LEAVE_SECONDS

    def test_a_table_that_is_not_there_is_an_error_of_the_source(self, subject: Subject) -> None:
        with (
            pytest.raises(OutsideError),
            subject.connector.read(subject.settings, subject.reach, ReadRequest("no_such")),
        ):
            pass

    def test_nobody_there_is_unreachable_everywhere(self, subject: Subject) -> None:
        if subject.unreachable is None:
            assert subject.connector.spec.targets == (), "a connector that goes somewhere names unreachable settings"
            return
        for attempt in _attempts(subject, subject.unreachable):
            with pytest.raises(UnreachableError):
                attempt()

    def test_no_secret_shows_in_an_error(self, subject: Subject) -> None:
        broken = [*subject.broken, *([subject.unreachable] if subject.unreachable else [])]
        for settings in broken:
            for attempt in _attempts(subject, settings):
                with pytest.raises(AppError) as caught:
                    attempt()
                shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caught.value.hint
                assert [secret for secret in subject.secrets if secret in shown] == []


def _inputs(fields: tuple[Field, ...]) -> list[Input]:
    found: list[Input] = []
    for field in fields:
        if isinstance(field, Input):
            found.append(field)
        elif isinstance(field, SwitchGroup):
            found += _inputs(field.fields)
        elif isinstance(field, Select):
            found += [inner for option in field.options for inner in _inputs(option.fields)]
    return found


def _attempts(subject: Subject, settings: Settings) -> list[Callable[[], Any]]:
    connector, reach = subject.connector, subject.reach

    def read() -> None:
        with connector.read(settings, reach, ReadRequest(subject.changing)):
            pass

    return [lambda: connector.check(settings, reach), lambda: connector.tables(settings, reach), read]


def _by_key(rows: pa.Table, key: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in key): row for row in rows.to_pylist()}


def _same_rows(first: pa.Table, second: pa.Table) -> list[dict[str, Any]]:
    seen = {json.dumps(row, default=str, sort_keys=True) for row in first.to_pylist()}
    return [row for row in second.to_pylist() if json.dumps(row, default=str, sort_keys=True) in seen]
