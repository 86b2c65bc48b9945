"""The few types a connector deals in.

A connector gets settings (checked against its own `spec`, secrets included) and a `Reach` (which hosts may be
connected to), and answers with tables and Arrow batches. It raises only `core.errors.OutsideError` kinds, with texts
fit for users; texts of drivers are scrubbed of secrets by the caller.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from hedgerow.connectors.spec import Spec

if TYPE_CHECKING:
    import pyarrow as pa  # the server process reads forms and tables without it

Settings = Mapping[str, Any]
CursorType = Literal["integer", "numeric", "datetime", "date", "timestamp"]
BadValues = Literal["null_and_count", "keep_text", "fail"]
"""What becomes of values that no table can hold (type_mapping.md rule 8): see `ReadRequest`."""
ColumnType = Literal["integer", "float", "decimal", "string", "datetime", "date", "boolean", "array", "json"]


@dataclass(frozen=True)
class Column:
    """A column as discovery saw it. `declared` is the source's own word for the type.

    `may_lose` says which of its values no table can hold and what becomes of them; None when it can hold them all.
    """

    name: str
    declared: str
    type: ColumnType
    nullable: bool = True
    cursor_type: CursorType | None = None
    may_lose: str | None = None


@dataclass(frozen=True)
class SourceTable:
    """A table on offer. `key` is empty when the source declares none; `rows` None when unknown.

    `identity` is the source's own mark of this very table, which one dropped and made anew under the same name does
    not have; None when the source has no such thing.
    """

    name: str
    columns: tuple[Column, ...] = ()
    key: tuple[str, ...] = ()
    description: str | None = None
    rows: int | None = None
    identity: str | None = None

    @property
    def cursor_columns(self) -> tuple[Column, ...]:
        """Columns usable as a cursor, in column order."""
        return tuple(c for c in self.columns if c.cursor_type)


@dataclass(frozen=True)
class Cursor:
    """Read only rows whose `field` is greater than `after` (the source's own text of the value); None: all rows.

    `seen` is what the reading that reached `after` said of itself. With it the connector also finds rows that were
    committed after that reading although their values had been passed, and no row twice.
    """

    field: str
    type: CursorType
    after: str | None = None
    seen: str | None = None


@dataclass(frozen=True)
class ReadRequest:
    """What to read. `memory_mib` bounds what the reader may hold; batches should stay under a tenth of it.

    `key` tells rows apart in samples of losses (the source's own key if empty). `bad_values`: `keep_text` asks for a
    column of text beside each column that may lose values, `<column>__raw`, with the source's own text of the lost ones
    only; `fail` for BadDataError at the first one.
    """

    table: str
    cursor: Cursor | None = None
    key: tuple[str, ...] = ()
    memory_mib: int = 256
    bad_values: BadValues = "null_and_count"


@dataclass
class Loss:
    """Values of a column that no table can hold, or not whole (type_mapping.md rule 5): counted, never silent.

    `sample` names some of their rows: by the key's values, or by the place among the rows read.
    """

    reason: str
    count: int = 0
    sample: list[str] = field(default_factory=list)


@dataclass
class Reading:
    """An open read of one consistent snapshot.

    `schema` is known before the first batch, column names as in the source. `batches` may be consumed once; each
    has exactly `schema`. `identity` is that of the table read, see `SourceTable`; None when it is not known. Complete
    when `batches` is exhausted: `losses` (column → Loss); `cursor_to`, the greatest cursor value seen, as the source's
    text (None when no row had one, or none greater than before); `seen`, for the `Cursor` of the next reading (None
    when the connector has nothing to say), kept with `cursor_to`, opaque to all others; `seen_moved`, whether keeping
    `seen` saves the next reading work even if this one had no rows.
    """

    schema: "pa.Schema"
    batches: "Iterator[pa.RecordBatch]"
    losses: dict[str, Loss] = field(default_factory=dict)
    cursor_to: str | None = None
    seen: str | None = None
    seen_moved: bool = False
    identity: str | None = None


@dataclass(frozen=True)
class Reach:
    """How the outside may be reached.

    `policy`: which hosts may be connected to, any but link-local and the like (`private`), or only public ones
    (`public`). `silence_seconds`: how long a source may send nothing unless it says that it is at work.
    """

    policy: Literal["private", "public"] = "private"
    silence_seconds: float = 60.0


class Connector(Protocol):
    """One kind of source. Every method may raise OutsideError kinds; none keeps a connection open after it returns."""

    @property
    def spec(self) -> Spec:
        """The form, and everything the wizard says of this kind."""

    def check(self, settings: Settings, reach: Reach) -> None:
        """Connect and log in once. Raises CredentialsError or UnreachableError with the contract's text."""

    def tables(self, settings: Settings, reach: Reach, *, count_rows: bool = False) -> list[SourceTable]:
        """Every table on offer, ordered by name. `count_rows` fills `rows` within a budget of a few seconds in all."""

    def check_key(self, settings: Settings, reach: Reach, table: str, key: tuple[str, ...]) -> bool:
        """Whether the key's values are unique and not null in the source now (True at once for a declared key)."""

    def read(self, settings: Settings, reach: Reach, request: ReadRequest) -> AbstractContextManager[Reading]:
        """Open one consistent snapshot of a table. Leaving the context closes the connection and cancels its query."""
