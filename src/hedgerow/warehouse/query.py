"""A person's SQL over the tables that person may view: at once, or in the background (api_conventions.md §11)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hedgerow.accounts.access import Actor
from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7
from hedgerow.warehouse import cache, engine, tables, versions
from hedgerow.warehouse.models import Table

NEVER_CACHED: Final = frozenset({"force_blocking", "force_async"})
IN_BACKGROUND: Final = frozenset({"async", "force_async", "lazy_async"})
ONLY_CACHED: Final = "force_cache"
REFRESH_MODES: Final = (
    "blocking",
    "force_blocking",
    "async",
    "force_async",
    "lazy_async",
    "async_except_on_cache_miss",
    ONLY_CACHED,
)
_WORD: Final = re.compile(r"[A-Za-z0-9_$.]+")
_MANY_WORDS: Final = 500

answers = cache.AnswerCache()


@dataclass(frozen=True)
class Question:
    """One query as asked: `values` fill its placeholders; `query_id` is the caller's own, or empty."""

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)
    refresh: str = "blocking"
    query_id: str = ""

    @property
    def in_background(self) -> bool:
        """Whether the caller wants a status instead of waiting."""
        return self.refresh in IN_BACKGROUND


@dataclass(frozen=True)
class Prepared:
    """A question with what its asker may read: taken when it is asked, used when it is run."""

    project_id: int
    user_id: int
    query_id: str
    sql: str
    values: Mapping[str, Any]
    tables: Mapping[str, Table]
    cache_key: str

    @property
    def pool_id(self) -> str:
        """What the query is cancelled by: ids of other people are not touched."""
        return pool_id(self.project_id, self.user_id, self.query_id)


def prepare(actor: Actor, question: Question) -> Prepared:
    """Look up the tables that the text could name and the actor may view; no other table can be read."""
    project_id = actor.project.pk if actor.project else 0
    return Prepared(
        project_id=project_id,
        user_id=actor.user.pk,
        query_id=question.query_id or str(uuid7()),
        sql=question.sql,
        values=question.values,
        tables=_candidates(actor, question.sql),
        cache_key=cache.key(project_id, question.sql, question.values),
    )


def cached(prepared: Prepared, refresh: str) -> dict[str, Any] | None:
    """The answer that is still good, or None. For `force_cache` an answer without results stands for none."""
    if refresh in NEVER_CACHED:
        return None
    found = answers.find(prepared.cache_key, prepared.tables)
    if found is not None:
        return found | {"is_cached": True}
    return _nothing(prepared) if refresh == ONLY_CACHED else None


def run(prepared: Prepared, **options: Any) -> dict[str, Any]:
    """Run it now: the answer of §11.1. `options` go to `engine.run`.

    Raises BadRequestError for what the caller can change, RateLimitedError when too much runs already, Cancelled.
    """
    locations = {name: table.location for name, table in prepared.tables.items()}
    result = engine.run(
        prepared.project_id, prepared.pool_id, prepared.sql, locations, values=prepared.values, **options
    )
    answer = _nothing(prepared) | {
        "results": result.rows,
        "columns": result.columns,
        "types": result.types,
        "hasMore": result.has_more,
        "limit": result.limit,
        "offset": result.offset,
        "hogql": result.sql,
        "last_refresh": _text(now()),
    }
    if result.stable:
        read = {name: prepared.tables[name] for name in result.tables}
        answers.keep(
            prepared.cache_key, answer, read, fixed=result.fixed, until=versions.kept_until(result.replaced_ms)
        )
    return answer


def pool_id(project_id: int, user_id: int, query_id: str) -> str:
    """The name that a person's query has in the pool."""
    return f"{project_id}:{user_id}:{query_id}"


def _candidates(actor: Actor, sql: str) -> dict[str, Table]:
    words = set(_WORD.findall(sql))
    found = tables.visible(actor).only("id", "name", "location", "version")
    if len(words) <= _MANY_WORDS:
        found = found.filter(name__in=words)
    return {table.name: table for table in found}


def _nothing(prepared: Prepared) -> dict[str, Any]:
    """All members of an answer, without results."""
    return {
        "results": None,
        "columns": None,
        "types": None,
        "hasMore": None,
        "limit": None,
        "offset": None,
        "query": prepared.sql,
        "hogql": None,
        "error": None,
        "timings": [],
        "is_cached": False,
        "cache_key": prepared.cache_key,
        "last_refresh": None,
        "timezone": "UTC",
    }


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
