"""The documentation is complete and current: a reader never meets a gap, a writer never has to remember one."""

import re
from pathlib import Path

import pytest

from hedgerow.connectors.kits.sql import pg_types
from hedgerow.core import config
from tests.house import pages, types_page
from tests.house.pages import ROOT

DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("name", pages.PAGES)
def test_generated_pages_are_current(name: str) -> None:
    assert (ROOT / name).read_text() == pages.PAGES[name](), "run `make docs`"


def test_every_setting_has_its_heading_and_a_sentence() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text()

    for setting in config.settings():
        assert f"\n## {setting.variable}\n" in page
        assert setting.sentence.endswith(".")


def test_every_command_has_its_heading() -> None:
    page = (ROOT / "docs/reference/cli.md").read_text()

    for path, _ in pages.commands():
        assert f"\n## {path}\n" in page


def test_every_type_that_is_read_in_its_own_way_is_on_the_page() -> None:
    described = {declared.name for _, declared, _ in types_page.TYPES if declared}

    assert pg_types.BUILTIN.keys() - {"jsonb"} <= described


def test_every_error_class_has_a_hint_a_docstring_and_a_code_of_its_own() -> None:
    classes = pages.error_classes()

    for cls in classes:
        assert cls.hint.endswith("."), cls
        assert cls.__doc__, cls
        assert "hint" in vars(cls), f"{cls.__name__} has only its parent's hint"
    assert len({cls.code for cls in classes}) == len(classes)


def test_every_room_says_what_it_owns_may_use_and_never_does() -> None:
    for path in pages.PACKAGE.glob("*/__init__.py"):
        words = re.sub(r"\s+", " ", path.read_text())
        assert words.startswith('"""Owns '), path
        assert " May use " in words, path
        assert " Never " in words, path


def test_every_package_installed_at_run_time_has_its_licence_listed() -> None:
    page = (ROOT / "docs/reference/licences.md").read_text()
    locked = re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[.*\])?==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    assert len(locked) > 20
    assert [name for name in sorted(set(locked)) if f"\n| `{name}` | " not in page] == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text()):
        if not target.startswith(("http://", "https://", "#", "/")):
            file, _, heading = target.partition("#")
            found = path.parent / file
            assert found.exists(), f"{path.name}: {target}"
            assert not heading or f"\n## {heading}\n" in found.read_text().lower(), f"{path.name}: {target}"


def test_paths_named_in_the_architecture_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named = re.findall(r"`([a-z]+/[a-z_/]+\.py)`", text)

    assert len(named) > 10
    for name in named:
        assert (pages.PACKAGE / name).exists() or (ROOT / name).exists() or name.endswith("/x.py"), name
