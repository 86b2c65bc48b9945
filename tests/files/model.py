"""A tree in plain lists: what the tree must do, written as simply as can be, to compare the real one with.

An entry is a path as a tuple of names, its type, and whether it is a link. Two rules of the contract (§10.7, §3.5)
are all there is: folders that meet become one, and every entry lies in folders.
"""

from dataclasses import dataclass, field

FOLDER = "folder"
Path = tuple[str, ...]


@dataclass(frozen=True)
class Line:
    path: Path
    type: str
    linked: bool
    number: int
    """Which entry it is: entries keep their identity when they move."""


@dataclass
class Model:
    lines: list[Line] = field(default_factory=list)
    made: int = 0

    def create(self, path: Path, type: str) -> int:
        there = self._folder(path) if type == FOLDER else None
        if there is not None:
            return there.number
        self._parents(path)
        return self._add(path, type, linked=False)

    def move(self, number: int, new: Path) -> int | None:
        """The number of the entry that remains; None when it is refused."""
        entry = self.line(number)
        if entry.type != FOLDER:
            self._replace(entry, new)
            self._parents(new)
            return number
        if entry.path == new:
            return None
        moving = [line for line in self.lines if line == entry or self._is_below(line.path, entry.path)]
        if any(len(line.path) - len(entry.path) + len(new) > 50 for line in moving):
            return None
        self.lines = [line for line in self.lines if line not in moving]
        for line in moving:
            self._arrive(line, new + line.path[len(entry.path) :])
        self._parents(new)
        folder = self._folder(new)
        assert folder is not None
        return folder.number

    def link(self, number: int, new: Path) -> int | None:
        entry = self.line(number)
        if entry.path == new or (entry.type == FOLDER and self._is_below(new, entry.path)):
            return None
        below = [line for line in self.lines if entry.type == FOLDER and self._is_below(line.path, entry.path)]
        self._parents(new)
        first = self._link(entry, new)
        for line in below:
            self._link(line, new + line.path[len(entry.path) :])
        return first

    def delete(self, number: int) -> None:
        entry = self.line(number)
        self.lines = [
            line
            for line in self.lines
            if line != entry and not (entry.type == FOLDER and self._is_below(line.path, entry.path))
        ]

    def count(self, path: Path) -> int:
        return sum(self._is_below(line.path, path) for line in self.lines)

    def _link(self, entry: Line, path: Path) -> int:
        for line in self.lines:
            if line.path == path and line.type == entry.type and (line.linked or line.type == FOLDER):
                return line.number
        return self._add(path, entry.type, linked=True)

    def _arrive(self, line: Line, path: Path) -> None:
        there = self._folder(path) if line.type == FOLDER else None
        if there is None:
            self.lines.append(Line(path, line.type, line.linked, line.number))
        elif there.linked and not line.linked:
            self.lines.remove(there)
            self.lines.append(Line(path, FOLDER, False, line.number))

    def _parents(self, path: Path) -> None:
        for size in range(1, len(path)):
            if self._folder(path[:size]) is None:
                self._add(path[:size], FOLDER, linked=False)

    def _add(self, path: Path, type: str, *, linked: bool) -> int:
        self.made += 1
        self.lines.append(Line(path, type, linked, self.made))
        return self.made

    def _replace(self, entry: Line, path: Path) -> None:
        self.lines[self.lines.index(entry)] = Line(path, entry.type, entry.linked, entry.number)

    def _folder(self, path: Path) -> Line | None:
        return next((line for line in self.lines if line.path == path and line.type == FOLDER), None)

    def line(self, number: int) -> Line:
        return next(line for line in self.lines if line.number == number)

    @staticmethod
    def _is_below(path: Path, folder: Path) -> bool:
        return len(path) > len(folder) and path[: len(folder)] == folder
