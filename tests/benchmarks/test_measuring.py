"""What the benchmarks publish goes to its own place and nowhere else."""

from pathlib import Path

import pytest

from benchmarks import measuring

PAGE = """# Page
<!-- one: written by something -->
old
<!-- /one -->
between
<!-- two: written by something else -->
kept
<!-- /two -->
"""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "README.md"
    path.write_text(PAGE)
    monkeypatch.setattr(measuring, "README", path)
    return path


def test_a_section_is_replaced_and_the_rest_stays(page: Path) -> None:
    measuring.publish("one", "new", True)

    assert page.read_text() == PAGE.replace("old", "new")


def test_nothing_is_written_unless_asked(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measuring.publish("one", "new", False)

    assert page.read_text() == PAGE
    assert capsys.readouterr().out == "new\n"


def test_a_section_that_is_not_there_is_an_error(page: Path) -> None:
    with pytest.raises(ValueError, match="no section three"):
        measuring.publish("three", "new", True)


@pytest.mark.parametrize("section", ["main job", "peers", "queries"])
def test_the_page_has_a_place_for_each(section: str) -> None:
    page = measuring.README.read_text()

    assert page.count(f"<!-- {section}: ") == page.count(f"<!-- /{section} -->") == 1
