"""Random tables in a real PostgreSQL, and what a sync of them must give."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import psycopg
from hypothesis import strategies as st

from tests.exact.kinds import BY_NAME, TEXT, Kept, Kind, kinds
from tests.support.postgres import PostgresDatabase

Shape = Literal["plain", "partitioned", "inherited", "dropped"]
Row = dict[str, str | None]
NAMES: Final = [
    "Capital", "capital", "two words", "dot.ted", "dot", 'quo"ted', "it's", "🦔", "select", "{}", "%s", "back\\slash",
    "$$", "c0", "s", "t", "n", "no_columns", "a,b", "tab\t", "line\nbreak", "x" * 63, "é" * 31, " ", "?", ":a", "--",
    "count", "item", "row", "dot.ted.twice", "k0", "id__raw",
]  # fmt: skip
_SYSTEM: Final = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}
_NAME: Final = (st.sampled_from(NAMES) | TEXT.filter(bool)).filter(lambda name: name not in _SYSTEM)
_SESSION: Final = (
    "set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'iso_8601'; set extra_float_digits = 1"
)


@dataclass(frozen=True)
class Column:
    name: str
    kind: Kind
    nullable: bool = True
    generated: str = ""

    @property
    def ddl(self) -> str:
        """As in `create table`."""
        made = f" generated always as ({self.generated}) stored" if self.generated else ""
        return f"{quoted(self.name)} {self.kind.declared}{made}{'' if self.nullable else ' not null'}"


@dataclass(frozen=True)
class Table:
    """`rows` come first, `changes` (place → new row) and `more` afterwards. `key` tells rows apart."""

    name: str
    columns: list[Column]
    id: Column
    changed: Column
    key: list[Column]
    shape: Shape
    declares_key: bool
    rows: list[Row]
    changes: dict[int, Row]
    more: list[Row] = field(default_factory=list)

    def __repr__(self) -> str:
        """Short enough for a report of a failure."""
        listed = ", ".join(c.ddl for c in self.columns)
        return f"{self.name!r} ({listed}) {self.shape} {self.rows} {self.changes} {self.more}"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@st.composite
def tables(draw: st.DrawFn, version: int, extra: tuple[Kind, ...] = ()) -> Table:
    """Any table that a server of this version can have."""
    names = draw(st.lists(_NAME, min_size=5, max_size=14, unique=True))
    whole = BY_NAME["bigint"]
    one, changed = Column(names[0], whole, nullable=False), Column(names[1], whole, nullable=False)
    others = [Column(name, draw(kinds(version, extra)), draw(st.booleans())) for name in names[2:]]
    if draw(st.booleans()):
        others[0] = Column(names[2], whole, generated=f"{quoted(one.name)} * 2")
    usable = [c for c in others if c.kind.orders and not c.nullable and not c.generated]
    key = [one, *usable[: draw(st.integers(0, 1))]]
    columns = draw(st.permutations([one, changed, *others]))
    given_columns = [c for c in columns if c not in (one, changed) and not c.generated]
    row = st.fixed_dictionaries(
        {c.name: (st.none() | c.kind.values) if c.nullable else c.kind.values for c in given_columns}
    )
    rows = [
        {**values, one.name: str(n), changed.name: str(n)}
        for n, values in enumerate(draw(st.lists(row, max_size=9)), start=1)
    ]
    clock = len(rows)
    changes: dict[int, Row] = {}
    for place in sorted(draw(st.sets(st.integers(0, len(rows) - 1), max_size=3)) if rows else ()):
        clock += 1
        kept = {c.name: rows[place][c.name] for c in key}
        changes[place] = {**draw(row), changed.name: str(clock), **kept}
    more = [
        {**values, one.name: str(clock + n), changed.name: str(clock + n)}
        for n, values in enumerate(draw(st.lists(row, max_size=3)), start=1)
    ]
    shape: Shape = draw(st.sampled_from(["plain", "plain", "partitioned", "inherited", "dropped"]))
    return Table(draw(_NAME), columns, one, changed, key, shape, draw(st.booleans()), rows, changes, more)


class There:
    """A table that exists in a database."""

    def __init__(self, database: PostgresDatabase, table: Table) -> None:
        self.table = table
        self._connection = database.connect()
        self._connection.execute(_SESSION.encode())
        self._create()
        self._insert(table.rows)

    def __enter__(self) -> "There":
        return self

    def __exit__(self, *_: object) -> None:
        self._run(f"drop table {quoted(self.table.name)} cascade; drop table if exists part_1, part_2")
        self._connection.close()

    def change(self) -> None:
        """Change rows and add some: all that come have greater values of `changed`."""
        for row in self.table.changes.values():
            given = [c for c in self.table.columns if c.name in row]
            shown = ", ".join(f"{_escaped(c.name)} = %s" for c in given)
            statement = f"update {_escaped(self.table.name)} set {shown} where {_escaped(self.table.id.name)} = %s"
            self._connection.execute(statement.encode(), [*(row[c.name] for c in given), row[self.table.id.name]])
        self._insert(self.table.more)

    def truth(self, after: str | None = None) -> list[list[str | None]]:
        """The rows as PostgreSQL itself writes their values; those changed after a value of `changed`."""
        where = f"where {quoted(self.table.changed.name)} > {after}" if after is not None else ""
        query = f"select * from {quoted(self.table.name)} {where}"
        answer = self._connection.pgconn.exec_(query.encode())
        assert answer.status == psycopg.pq.ExecStatus.TUPLES_OK, answer.error_message
        return [[_text(answer.get_value(r, c)) for c in range(answer.nfields)] for r in range(answer.ntuples)]

    def _create(self) -> None:
        table, name = self.table, quoted(self.table.name)
        listed = [c.ddl for c in table.columns]
        if table.shape == "dropped":
            listed.insert(1, "gone int")
        primary = f", primary key ({', '.join(quoted(c.name) for c in table.key)})" if table.declares_key else ""
        first = quoted(table.id.name)
        if table.shape == "partitioned":
            self._run(f"create table {name} ({', '.join(listed)}{primary}) partition by range ({first})")
            self._run(f"create table part_1 partition of {name} for values from (0) to (3)")
            self._run(f"create table part_2 (gone int, {', '.join(reversed(listed))})")
            self._run("alter table part_2 drop column gone")
            self._run(f"alter table {name} attach partition part_2 for values from (3) to (100)")
            return
        self._run(f"create table {name} ({', '.join(listed)}{primary})")
        if table.shape == "dropped":
            self._run(f"alter table {name} drop column gone")
        if table.shape == "inherited":
            self._run(f"create table part_1 () inherits ({name})")

    def _insert(self, rows: list[Row]) -> None:
        for row in rows:
            heir = self.table.shape == "inherited" and int(row[self.table.id.name] or 0) % 2
            given = [c for c in self.table.columns if c.name in row]
            statement = (
                f"insert into {'part_1' if heir else _escaped(self.table.name)} "
                f"({', '.join(_escaped(c.name) for c in given)}) values ({', '.join(['%s'] * len(given))})"
            )
            self._connection.execute(statement.encode(), [row[c.name] for c in given])

    def _run(self, statement: str) -> None:
        self._connection.execute(statement.encode())


def _escaped(name: str) -> str:
    return quoted(name).replace("%", "%%")


def _text(value: bytes | None) -> str | None:
    """Bytes that are no text stay recognisable."""
    return None if value is None else value.decode("utf-8", "surrogateescape")


@dataclass
class Expected:
    """The stored rows (as a bag of their values' repr) and the losses by source column."""

    rows: Counter[str]
    losses: dict[str, int]


def expected(table: Table, truth: list[list[str | None]], *, keeps_text: bool) -> Expected:
    """What a table holds after these rows were copied, by the rules in `kinds`; the text of what is lost at the end."""
    losses: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for row in truth:
        kept: list[Any] = []
        raw: list[str | None] = []
        for column, text in zip(table.columns, row, strict=True):
            found = Kept(None) if text is None else column.kind.keep(text)
            losses[column.name] += found.lost
            kept.append(found.value)
            raw += [text if found.lost else None] if column.kind.can_lose and keeps_text else []
        rows[repr([*kept, *raw])] += 1
    return Expected(rows, {name: count for name, count in losses.items() if count})
