"""Only the room that owns a model writes it.

Import rules cannot see this: any room above may import a model to read it. A rule about a row holds only if all code
that writes the row is in one room. To be excused, put `# writes <room>: why` on the line.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.pages import PACKAGE

WRITES = frozenset(
    {
        "create",
        "get_or_create",
        "update_or_create",
        "bulk_create",
        "bulk_update",
        "update",
        "delete",
        "acreate",
        "adelete",
    }
)
DOORS = frozenset({"api", "cli", "server"})


def _foreign_models(tree: ast.Module, room: str) -> set[str]:
    """The names that stand for models of other rooms in this file."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hedgerow."):
            _, owner, *rest = node.module.split(".")
            if rest == ["models"] and owner != room:
                names |= {alias.asname or alias.name for alias in node.names}
    return names


def _begins_with(node: ast.AST) -> str:
    """`Model.objects.filter(…).update` → `Model`."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _writes(tree: ast.Module, room: str) -> Iterator[int]:
    """Lines that write a foreign model; in a door also every `row.save(…)` and `row.delete()`, whatever the row."""
    foreign = _foreign_models(tree, room)
    any_row = room in DOORS and f"hedgerow.{room}.models" not in {getattr(n, "module", "") for n in ast.walk(tree)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        by_manager = node.func.attr in WRITES and _begins_with(node.func) in foreign
        by_row = node.func.attr == "save" or (node.func.attr == "delete" and not node.args)
        if by_manager or (any_row and by_row):
            yield node.lineno


def _offences(source: str, room: str) -> list[int]:
    lines = source.splitlines()
    return [number for number in _writes(ast.parse(source), room) if "# writes " not in lines[number - 1]]


@pytest.mark.parametrize("room", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_no_room_writes_another_s_models(room: str) -> None:
    found = {
        str(path.relative_to(PACKAGE)): offences
        for path in sorted(Path(PACKAGE / room).rglob("*.py"))
        if "migrations" not in path.parts and (offences := _offences(path.read_text(), room))
    }

    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "User.objects.create(email='x')",
        "User.objects.filter(pk=1).update(email='x')",
        "User.objects.order_by('id').delete()",
        "user.save()",
        "the(user).delete()",
    ],
)
def test_the_scan_sees_writes(line: str) -> None:
    assert _offences(f"from hedgerow.accounts.models import User\n{line}", "cli") == [2]


@pytest.mark.parametrize(
    "line",
    [
        "User.objects.filter(pk=1).first()",
        "keys.delete(key)",
        "settings.update(a=1)",
        "User.objects.create()  # writes accounts: a reason",
    ],
)
def test_the_scan_lets_reads_and_excuses_pass(line: str) -> None:
    assert _offences(f"from hedgerow.accounts.models import User\n{line}", "cli") == []
