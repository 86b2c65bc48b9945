"""The grammar of paths: splitting, escaping, one spelling, limits (file_system.md §3). Pure.

`/` separates parts; inside a part `\\/` is a slash and `\\\\` a backslash. A part that is empty or all blank does not
count. A *path* below is always in its one spelling, so that paths can be compared as texts.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from hedgerow.core.errors import BadRequestError

LONGEST: Final = 4000
DEEPEST: Final = 50
UNTITLED: Final = "Untitled"


def split(text: str) -> list[str]:
    """The parts of any text, without escapes; empty and all-blank parts are left out."""
    if "\\" not in text:
        return [each for each in text.split("/") if each.strip()]
    parts, part, place = [], "", 0
    while place < len(text):
        pair = text[place : place + 2]
        if pair in ("\\/", "\\\\"):
            part, place = part + pair[1], place + 2
            continue
        if text[place] == "/":
            parts.append(part)
            part = ""
        else:
            part += text[place]
        place += 1
    return [each for each in (*parts, part) if each.strip()]


def escape(name: str) -> str:
    """A name as one part of a path."""
    return name.replace("\\", "\\\\").replace("/", "\\/")


def join(parts: Iterable[str]) -> str:
    """The path of parts."""
    return "/".join(map(escape, parts))


def spelled(text: str) -> str:
    """The one spelling of any text; empty when it has no parts."""
    return join(split(text)).strip()


def checked(text: str, field: str = "path") -> str:
    """The one spelling. Raises BadRequestError on `field` when there are no parts, too many, or too long a path."""
    path = spelled(text)
    if not path:
        raise BadRequestError("The path has no name in it.", field=field)
    check_limits(len(path), depth(path), field)
    return path


def check_limits(length: int, parts: int, field: str = "path") -> None:
    """Raises BadRequestError on `field` when a path of this length and depth is over the limits."""
    if length > LONGEST:
        raise BadRequestError(
            f"Ensure this field has no more than {LONGEST} characters.", field=field, code="max_length"
        )
    if parts > DEEPEST:
        raise BadRequestError(f"Ensure this path has no more than {DEEPEST} parts.", field=field)


def depth(path: str) -> int:
    """How many parts a path has; 0 for the root."""
    return len(split(path))


def parent(path: str) -> str:
    """The path of the folder it is in; empty at the root."""
    return join(split(path)[:-1])


def ancestors(path: str) -> Iterator[str]:
    """Every folder on the way, from the root down, without the path itself."""
    parts = split(path)
    return (join(parts[:count]) for count in range(1, len(parts)))


def is_below(path: str, folder: str) -> bool:
    """Whether the path lies below the folder, at any depth."""
    return path.startswith(f"{folder}/")


def place(folder: Sequence[str], name: str) -> str:
    """The path of a name in a folder given by its parts; the name is cut to what fits, and never empty."""
    before = join(folder)
    room = LONGEST - len(before) - (1 if before else 0)
    return "/".join(part for part in (before, fitted(name, room)) if part)


def renamed(path: str, name: str) -> str:
    """The same place under another name, cut to what fits."""
    return place(split(path)[:-1], name)


def fitted(name: str, room: int) -> str:
    """A name as one part of at most `room` characters: whole characters of it, or `Untitled` for a blank one."""
    name = name.strip() or UNTITLED
    while len(part := escape(name)) > room:
        name = name[: -max(1, (len(part) - room) // 2)].rstrip()
    return part or UNTITLED[:room]


def lowered(path: str) -> str:
    """What orders paths without regard to case: lower-cased, compared by code point."""
    return "/".join(escape(part.lower()) for part in split(path))


def folded(text: str) -> str:
    """What search compares: without case in any script, line breaks as blanks."""
    return text.casefold().replace("\n", " ")
