"""What a PostgreSQL database has to offer, from its system catalogue, which every role may read."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hedgerow.connectors.contract import Column, SourceTable
from hedgerow.connectors.kits.sql import pg_nested
from hedgerow.connectors.kits.sql.pg_types import NOT_TEXT, Declared, Plan, plan

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

COUNT_SECONDS: Final = 4.0
"""Budget for the exact row counts of all tables together (§7.9)."""

_RELATIONS: Final = """
    select c.oid, c.relname, c.relkind, obj_description(c.oid, 'pg_class'), c.relpages
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = %(schema)s and c.relkind in ('r', 'p', 'f', 'v', 'm')
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
      and (%(name)s::text is null or c.relname = %(name)s)
    order by c.relname collate "C"
"""
_COLUMNS: Final = """
    with recursive shown as (
        select a.attrelid, a.attnum, a.attname, a.attnotnull, a.atttypid, a.atttypmod,
               a.attnotnull and (c.relkind = 'p' or c.relkind = 'r' and not c.relhassubclass) as filled
        from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
        where a.attrelid = any(%(oids)s) and a.attnum > 0 and not a.attisdropped
    ), resolved as (
        select attrelid, attnum, atttypid as type, atttypmod as modifier from shown
        union all
        select r.attrelid, r.attnum, t.typbasetype, case when r.modifier < 0 then t.typtypmod else r.modifier end
        from resolved r join pg_catalog.pg_type t on t.oid = r.type where t.typtype = 'd'
    )
    select s.attrelid, s.attname, pg_catalog.format_type(s.atttypid, s.atttypmod), not s.attnotnull,
           t.oid, t.typname, t.oid < 16384, t.typtype, t.typcategory = 'A', r.modifier, s.filled
    from shown s join resolved r using (attrelid, attnum) join pg_catalog.pg_type t on t.oid = r.type
    where t.typtype <> 'd'
    order by s.attrelid, s.attnum
"""
_KEYS: Final = """
    select i.indrelid, array_agg(a.attname::text order by k.position)
    from pg_catalog.pg_index i
    cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = any(%(oids)s) and i.indisprimary and k.position <= i.indnkeyatts
    group by i.indrelid, i.indexrelid
"""
_PARTITION_KEYS: Final = """
    select root.oid,
           case when count(distinct key.columns) = 1 and count(*) = count(key.columns) then min(key.columns) end
    from unnest(%(oids)s::oid[]) as root (oid)
    cross join lateral pg_catalog.pg_partition_tree(root.oid) as leaf
    left join lateral (
        select array_agg(a.attname::text order by k.position) as columns
        from pg_catalog.pg_index i
        cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, position)
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
        where i.indrelid = leaf.relid and i.indisprimary and k.position <= i.indnkeyatts
    ) as key on true
    where leaf.isleaf
    group by root.oid
"""


@dataclass(frozen=True)
class PgColumn:
    """A column as declared, and how it is read. `may_lose` as in `contract.Column`."""

    name: str
    declared: str
    nullable: bool
    plan: Plan
    may_lose: str | None = None


@dataclass(frozen=True)
class Relation:
    """A table, view or the like. `kind` is pg_class.relkind.

    `key` is the declared one, or, of a partitioned parent without one, the partitions' (unique only within each).
    """

    oid: int
    schema: str
    name: str
    kind: str
    description: str | None
    pages: int
    columns: tuple[PgColumn, ...]
    key: tuple[str, ...]
    key_is_declared: bool

    @property
    def identity(self) -> str:
        """Tells a table from one made anew under its name. Views have no rows of their own: all are the same."""
        return "view" if self.kind == "v" else str(self.oid)

    @property
    def quoted(self) -> str:
        """The name for use in SQL, with its schema."""
        return f"{quote(self.schema)}.{quote(self.name)}"

    def column(self, name: str) -> PgColumn | None:
        """The column of that exact name."""
        return next((column for column in self.columns if column.name == name), None)


def quote(name: str) -> str:
    """An identifier for use in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text for use in SQL, whatever the server's string settings are."""
    escaped = text.replace("'", "''")
    return f"E'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{escaped}'"


def relations(connection: "Connection", schema: str, name: str | None = None) -> list[Relation]:
    """Base tables, partitioned parents, foreign tables, views and materialised views, ordered by name."""
    rows = connection.execute(_RELATIONS, {"schema": schema, "name": name}).fetchall()
    oids = [row[0] for row in rows]
    columns = _columns(connection, oids)
    declared = {oid: tuple(names) for oid, names in connection.execute(_KEYS, {"oids": oids})}
    parents = [oid for oid, _, kind, *_ in rows if kind == "p" and oid not in declared]
    shared = _partition_keys(connection, parents) if parents else {}
    return [
        Relation(
            oid,
            schema,
            relname,
            kind,
            description,
            pages,
            tuple(columns[oid]),
            key=declared.get(oid) or shared.get(oid, ()),
            key_is_declared=oid in declared,
        )
        for oid, relname, kind, description, pages in rows
    ]


def _columns(connection: "Connection", oids: Sequence[int]) -> Mapping[int, list[PgColumn]]:
    found: defaultdict[int, list[PgColumn]] = defaultdict(list)
    knows_encoding = connection.info.parameter_status("server_encoding") != "SQL_ASCII"
    rows = connection.execute(_COLUMNS, {"oids": list(oids)}).fetchall()
    types = {row[4]: Declared(*row[5:]) for row in rows}
    nested = pg_nested.plans(connection, (oid for oid, declared in types.items() if declared.is_nested))
    for oid, name, shown, nullable, type_, *facts in rows:
        made = nested.get(type_) or plan(Declared(*facts))
        may_lose = made.may_lose or (NOT_TEXT if made.is_text and not knows_encoding else None)
        found[oid].append(PgColumn(name, shown, nullable, made, may_lose))
    return found


def _partition_keys(connection: "Connection", parents: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The key that all partitions of a parent share, in key order."""
    return {oid: tuple(names or ()) for oid, names in connection.execute(_PARTITION_KEYS, {"oids": list(parents)})}


def offer(relation: Relation, rows: int | None = None) -> SourceTable:
    """A relation in the words of the contract. Without a declared key a column `id` stands in (§10)."""
    columns = tuple(
        Column(c.name, c.declared, c.plan.type, c.nullable, c.plan.cursor_type, c.may_lose) for c in relation.columns
    )
    key = relation.key or (("id",) if relation.column("id") else ())
    return SourceTable(relation.name, columns, key, relation.description, rows, relation.identity)


def count_rows(connection: "Connection", found: Sequence[Relation]) -> dict[str, int]:
    """Exact counts by name, small tables first and views last, until the budget is used up."""
    import psycopg

    counts: dict[str, int] = {}
    deadline = time.monotonic() + COUNT_SECONDS
    for relation in sorted(found, key=lambda r: (r.kind in "vf", r.pages)):
        left = int((deadline - time.monotonic()) * 1000)
        if left <= 0:
            break
        try:
            with connection.transaction():
                connection.execute(f"set local statement_timeout = {left}")
                statement = f"select count(*) from {relation.quoted}"  # noqa: S608 - a quoted identifier
                row = connection.execute(statement.encode()).fetchone()
        except psycopg.OperationalError as error:
            if error.sqlstate is None:
                raise
        except psycopg.Error:
            continue  # not allowed, or the view is broken: unknown
        else:
            counts[relation.name] = row[0] if row else 0
    return counts


def is_unique(connection: "Connection", relation: Relation, key: Sequence[str]) -> bool:
    """Whether these columns identify rows: declared so, or true of the values there now (no nulls, no repeats)."""
    if tuple(key) == relation.key and relation.key_is_declared:
        return True
    table, names = relation.quoted, [quote(name) for name in key]
    nulls = " or ".join(f"{name} is null" for name in names)
    repeats = f"select from {table} group by {', '.join(names)} having count(*) > 1"
    statement = f"select exists(select from {table} where {nulls}) or exists({repeats})"  # noqa: S608 - as above
    row = connection.execute(statement.encode()).fetchone()
    return row is not None and not row[0]
