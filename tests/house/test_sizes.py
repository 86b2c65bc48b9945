"""Small things are understood, large ones are avoided: the longest function is the one a project is feared for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.pages import ROOT

FUNCTION_LINES = 60
FILE_LINES = 500
FILES = sorted(
    path
    for folder in ("src", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{node.name} (line {node.lineno})", (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_and_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES
    assert [name for name, lines in _functions(path) if lines > FUNCTION_LINES] == []
