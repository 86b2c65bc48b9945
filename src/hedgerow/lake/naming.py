"""Column names in tables.

Delta without column mapping, delta-rs, Polars and DuckDB keep every name exactly, also blanks, dots, quotes, commas,
braces, line breaks and emoji (tested; Spark alone is known to refuse ` ,;{}()\\n\\t=` when it writes such a table).
What does not survive: names that differ only in case (Delta and DuckDB compare without case), the empty name (DuckDB
makes up another one), and the names under which DuckDB tells where in which file a row stands.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, count

RESERVED = frozenset({"file_index", "file_row_number"})
PLACEHOLDER = "no_columns"
"""The only column of a table whose source has none: always null, so that its rows can be stored and counted."""


def column_names(names: Iterable[str]) -> dict[str, str]:
    """Source name → stored name, in the order given.

    A name is kept unless it is empty, reserved, or equals an earlier one but for case; then it gets the first free of
    `_2`, `_3`… Stored names map to themselves, so naming twice is harmless.
    """
    wanted = list(names)
    taken: set[str] = set()
    exact = {name.lower() for name in wanted}
    stored: dict[str, str] = {}
    for name in wanted:
        stored[name] = next(free for free in _candidates(name) if _is_free(free, name, taken, exact))
        taken.add(stored[name].lower())
    return stored


def _candidates(name: str) -> Iterator[str]:
    base = name or "column"
    return chain([base], (f"{base}_{n}" for n in count(2)))


def _is_free(candidate: str, name: str, taken: set[str], exact: set[str]) -> bool:
    """A made-up name must not take the place of a real one that comes later."""
    folded = candidate.lower()
    return folded not in taken | RESERVED and (candidate == name or folded not in exact)
