"""The grammar of paths (file_system.md §3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.errors import BadRequestError
from hedgerow.files import paths

TEXTS = st.text(alphabet=st.sampled_from("ab/\\ ÄßΣ\n%_.'\""), max_size=12) | st.text(max_size=8)
NAMES = TEXTS.map(str.strip).filter(bool)


@pytest.mark.parametrize(
    ("given", "parts", "kept"),
    [
        ("Reports/Q3", ["Reports", "Q3"], "Reports/Q3"),
        (r"R\/D/Plan", ["R/D", "Plan"], r"R\/D/Plan"),
        (r"a\\/b", ["a\\", "b"], r"a\\/b"),
        (r"a\\\/b", [r"a\/b"], r"a\\\/b"),
        (r"C:\temp", [r"C:\temp"], r"C:\\temp"),
        ("ends\\", ["ends\\"], r"ends\\"),
        ("/Team//Plan/", ["Team", "Plan"], "Team/Plan"),
        (r"\/", ["/"], r"\/"),
        ("  a/b  ", ["a", "b"], "a/b"),
        ("a / b", ["a ", " b"], "a / b"),
        ("a/ /b", ["a", "b"], "a/b"),
        ("./..", [".", ".."], "./.."),
    ],
)
def test_every_spelling_is_kept_as_one(given: str, parts: list[str], kept: str) -> None:
    assert paths.spelled(given) == kept
    assert paths.split(kept) == parts
    assert paths.depth(kept) == len(parts)


@pytest.mark.parametrize("given", ["", " ", "/", "///", "/ /", "\t/\n"])
def test_a_path_without_a_part_is_refused(given: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        paths.checked(given)
    assert caught.value.field == "path"


@pytest.mark.parametrize(("text", "fits"), [("x" * 4000, True), ("x" * 4001, False), ("/" * 2000 + "a", True)])
def test_length_counts_after_reduction(text: str, fits: bool) -> None:
    if fits:
        assert paths.checked(text)
        return
    with pytest.raises(BadRequestError, match="no more than 4000 characters"):
        paths.checked(text)


def test_fifty_parts_fit_and_fifty_one_do_not() -> None:
    assert paths.checked("/".join(["a"] * 50))
    with pytest.raises(BadRequestError, match="no more than 50 parts"):
        paths.checked("/".join(["a"] * 51), "new_path")


@given(TEXTS)
def test_the_one_spelling_is_its_own(text: str) -> None:
    once = paths.spelled(text)
    assert paths.spelled(once) == once
    assert paths.join(paths.split(once)) == once


@given(st.lists(NAMES, max_size=6))
def test_any_names_come_back_from_the_path_built_of_them(names: list[str]) -> None:
    path = paths.join(names)
    assert paths.split(path) == names
    assert paths.spelled(path) == path
    assert list(paths.ancestors(path)) == [paths.join(names[:count]) for count in range(1, len(names))]
    assert paths.parent(path) == paths.join(names[:-1])
    assert all(paths.is_below(path, folder) for folder in paths.ancestors(path))


@given(TEXTS, TEXTS)
def test_below_means_below_the_whole_name(folder: str, other: str) -> None:
    folder, other = paths.spelled(folder), paths.spelled(other)
    below = paths.is_below(other, folder) if folder else True
    parts = paths.split(folder)
    assert below == (paths.split(other)[: len(parts)] == parts and (other != folder or not folder))


@given(NAMES, st.integers(1, 30))
def test_a_name_is_cut_to_whole_characters_that_fit(name: str, room: int) -> None:
    part = paths.fitted(name, room)
    assert 0 < len(part) <= room
    assert len(paths.split(part)) == 1


@pytest.mark.parametrize(
    ("name", "path"),
    [("", "Unfiled/X/Untitled"), ("  ", "Unfiled/X/Untitled"), ("a/b", r"Unfiled/X/a\/b"), (" n ", "Unfiled/X/n")],
)
def test_an_object_s_name_is_one_part(name: str, path: str) -> None:
    assert paths.place(("Unfiled", "X"), name) == path


def test_a_long_name_is_cut_to_the_limit_of_the_path() -> None:
    assert len(paths.place(("Unfiled", "Insights"), "/" * 5000)) <= 4000
