"""PostgreSQL's text of arrays, rows and hstores, written and read by the rules of its manual (8.15, 8.16, F.16)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

Nested = list[Any]
"""Texts, None for null, and lists of these for further dimensions."""

_BOUNDS: Final = re.compile(r"((?:\[[+-]?\d+:[+-]?\d+\])+)=")
_LOWER: Final = re.compile(r"\[([+-]?\d+):")


def array(elements: Nested, lower: Sequence[int] = (), delimiter: str = ",") -> str:
    """The literal; `lower` are the bounds of its dimensions when they are not all 1."""

    def written(value: Any) -> str:
        if isinstance(value, list):
            return "{" + delimiter.join(map(written, value)) + "}"
        return "NULL" if value is None else _quoted(value)

    bounds, level = "", elements
    for first in lower:
        bounds += f"[{first}:{first + len(level) - 1}]"
        level = level[0]
    return (f"{bounds}=" if bounds else "") + written(elements)


def row(fields: Sequence[str | None]) -> str:
    """The literal of a composite value."""
    return "(" + ",".join("" if field is None else _quoted(field) for field in fields) + ")"


def hstore(pairs: dict[str, str | None]) -> str:
    """The literal of an hstore."""
    return ",".join(f"{_quoted(k)}=>{'NULL' if v is None else _quoted(v)}" for k, v in pairs.items())


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass
class _Text:
    """A text being read."""

    text: str
    place: int = 0

    def at(self, mark: str) -> bool:
        return self.text.startswith(mark, self.place)

    def take(self, mark: str) -> None:
        assert self.at(mark), f"{mark!r} expected at {self.place} of {self.text!r}"
        self.place += len(mark)

    def token(self, ends: str, *, doubled: bool = False) -> tuple[str, bool]:
        """The text up to one of `ends`, and whether any of it was quoted."""
        found, quoted, inside = [], False, False
        while inside or (self.place < len(self.text) and self.text[self.place] not in ends):
            character = self.text[self.place]
            self.place += 1
            if character == "\\":
                found.append(self.text[self.place])
                self.place += 1
            elif character == '"' and inside and doubled and self.at('"'):
                found.append('"')
                self.place += 1
            elif character == '"':
                inside, quoted = not inside, True
            else:
                found.append(character)
        return "".join(found), quoted


def read_array(text: str, delimiter: str = ",") -> tuple[Nested, bool]:
    """The elements, and whether a dimension begins at another number than 1."""
    bounds = _BOUNDS.match(text)
    rest = _Text(text, bounds.end() if bounds else 0)
    is_moved = any(int(first) != 1 for first in _LOWER.findall(bounds[1])) if bounds else False

    def read() -> Nested:
        rest.take("{")
        found: Nested = []
        while not rest.at("}"):
            if found:
                rest.take(delimiter)
            if rest.at("{"):
                found.append(read())
                continue
            token, quoted = rest.token(delimiter + "}")
            found.append(None if token == "NULL" and not quoted else token)
        rest.take("}")
        return found

    elements = read()
    assert rest.place == len(text), text
    return elements, is_moved


def read_row(text: str) -> list[str | None]:
    """The fields of a composite value."""
    rest, found = _Text(text), []
    rest.take("(")
    while True:
        token, quoted = rest.token(",)", doubled=True)
        found.append(token if token or quoted else None)
        if rest.at(")"):
            return found
        rest.take(",")


def read_hstore(text: str) -> dict[str, str | None]:
    """The pairs of an hstore."""
    rest = _Text(text)
    found: dict[str, str | None] = {}
    while rest.place < len(text):
        if found:
            rest.take(", ")
        key, _ = rest.token("=")
        rest.take("=>")
        value, quoted = rest.token(",")
        found[key] = None if value == "NULL" and not quoted else value
    return found


def each(value: Any, do: Callable[[Any], Any]) -> Any:
    """`do` on every element of a nested list; nulls stay."""
    return [each(inner, do) for inner in value] if isinstance(value, list) else None if value is None else do(value)
