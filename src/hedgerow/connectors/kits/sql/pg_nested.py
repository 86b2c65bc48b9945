"""What `to_json` loses inside arrays and composite values: bounds of arrays, and what a type's own cast leaves out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from hedgerow.connectors.kits.sql.pg_types import ARRAY, JSON, TEXT, Plan

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

# All types that values of the given ones consist of. `casts`: an extension's own way to JSON, which may be a lossy one
# (PostGIS rounds); that of hstore is not.
_TYPES: Final = """
    with recursive reached (oid) as (
        select unnest(%(oids)s::oid[])
        union
        select next from reached r join pg_catalog.pg_type t on t.oid = r.oid cross join lateral (
            select t.typelem where t.typcategory = 'A' and t.typelem <> 0
            union all select t.typbasetype where t.typtype = 'd'
            union all select a.atttypid from pg_catalog.pg_attribute a
                where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        ) as n (next)
    )
    select t.oid, case when t.typcategory = 'A' then t.typelem else 0 end, t.typbasetype,
           t.oid >= 16384 and t.typname <> 'hstore' and exists(
               select from pg_catalog.pg_cast c
               where c.castsource = t.oid and c.casttarget = 'pg_catalog.json'::regtype and c.castmethod = 'f'),
           array(select a.attname::text from pg_catalog.pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid
                 and a.attnum > 0 and not a.attisdropped order by a.attnum),
           array(select a.atttypid from pg_catalog.pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid
                 and a.attnum > 0 and not a.attisdropped order by a.attnum)
    from reached r join pg_catalog.pg_type t on t.oid = r.oid
"""


@dataclass(frozen=True)
class _Type:
    """`element` of an array, `base` of a domain, `fields` of a composite type; 0 and none for others."""

    element: int
    base: int
    casts: bool
    fields: tuple[tuple[str, int], ...]


def plans(connection: "Connection", oids: Iterable[int]) -> dict[int, Plan]:
    """How columns of these array and composite types are read."""
    wanted = list(set(oids))
    if not wanted:
        return {}
    types = {
        oid: _Type(element, base, casts, tuple(zip(names, kinds, strict=True)))
        for oid, element, base, casts, names, kinds in connection.execute(_TYPES, {"oids": wanted})
    }
    return {oid: _plan(types, oid) for oid in wanted}


def _plan(types: Mapping[int, _Type], oid: int) -> Plan:
    if _casts(types, oid):
        return TEXT
    lossy = _lossy(types, oid, "{0}", 0)
    return replace(ARRAY, lossy=lossy) if lossy else JSON


def _casts(types: Mapping[int, _Type], oid: int) -> bool:
    type_ = types[oid]
    inner = [oid for oid in (type_.element, type_.base) if oid] + [kind for _, kind in type_.fields]
    return type_.casts or any(_casts(types, each) for each in inner)


def _lossy(types: Mapping[int, _Type], oid: int, value: str, depth: int) -> str:
    """The condition in SQL under which an array in a value has other bounds than JSON lets it have; "" if none can."""
    type_ = types[oid]
    if type_.base:
        return _lossy(types, type_.base, value, depth)
    found = []
    if type_.element:
        found.append((ARRAY.lossy or "").format(value))
        inner = _lossy(types, type_.element, f"v{depth}", depth + 1)
        if inner:
            found.append(f"exists(select from (select unnest({value}) as v{depth}) e where {inner})")
    for name, kind in type_.fields:
        quoted = '"' + name.replace('"', '""').replace("{", "{{").replace("}", "}}") + '"'
        inner = _lossy(types, kind, f"({value}).{quoted}", depth)
        found += [inner] if inner else []
    return f"({' or '.join(found)})" if found else ""
