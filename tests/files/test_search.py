"""The search box (file_system.md §4.4), with the same answers on both databases."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.files import listing, paths, search, services
from hedgerow.files.search import Token
from tests.files.trees import actor_of
from tests.support.people import People

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("  \t ", []),
        ("one two", [Token("", "one"), Token("", "two")]),
        ("\"two words\" 'and more'", [Token("", "two words"), Token("", "and more")]),
        (
            "name:report -type:folder user:me",
            [Token("name", "report"), Token("type", "folder", True), Token("user", "me")],
        ),
        ('path:"Q3 plans" !draft', [Token("path", "Q3 plans"), Token("", "draft", True)]),
        ('type:insight author:"Ada L"', [Token("type", "insight"), Token("author", "Ada L")]),
        ("NAME:x Ref:Y", [Token("name", "x"), Token("ref", "Y")]),
        ("- ! a -", [Token("", "a")]),
        ("--a", [Token("", "-a", True)]),
        ("bob's al's plan", [Token("", "bob's"), Token("", "al's"), Token("", "plan")]),
        ('"unfinished and', [Token("", '"unfinished'), Token("", "and")]),
        ('"a"b "c" d', [Token("", '"a"b'), Token("", "c"), Token("", "d")]),
        ("3:4 http://x a:b:c", [Token("", "3:4"), Token("", "http://x"), Token("", "a:b:c")]),
        ('"name:x"', [Token("", "name:x")]),
        ("type: name:", [Token("type", ""), Token("name", "")]),
        ('other:"two words"', [Token("", 'other:"two'), Token("", 'words"')]),
        (r"back\slash", [Token("", r"back\slash")]),
        ('-name:"a b" ""', [Token("name", "a b", True), Token("", "")]),
        ('"', [Token("", '"')]),
        ("\\", [Token("", "\\")]),
    ],
)
def test_a_search_is_cut_into_tokens(text: str, tokens: list[Token]) -> None:
    assert search.parse(text) == tokens


@given(st.text(max_size=40))
def test_nothing_typed_is_an_error(text: str) -> None:
    for token in search.parse(text):
        assert token.field in ("", "path", "name", "type", "ref", "user", "author")


def test_tokens_after_the_fiftieth_are_ignored() -> None:
    assert len(search.parse("a " * 500)) == 50
    assert len(search.parse("a" * 10_000)) == 1


ENTRIES = [
    ("Banana/go\\/revenue", "doc"),
    ("Money/go\\/revenue", "insight"),
    ("Marketing/Q3 plans/Signup Funnel", "insight"),
    ("Marketing/Q3 plans/Draft", "doc"),
    ("Ärger/ÖLPREIS Straße", "doc"),
    ("Sales 100%/a_b", "doc"),
    ("bob's plan", "doc"),
    ("ends\\\\", "doc"),
    ("ΟΔΟΣ/Σίσυφος", "doc"),
    ("Line\nbreak/x", "hog_function/destination"),
]


@pytest.fixture
def find(people: People) -> "Find":
    actor = actor_of(people.alice, people.project)
    for number, (path, type) in enumerate(ENTRIES):
        services.create(actor, {"path": path, "type": type, "ref": f"R{number}"})
    bobs = actor_of(people.bob, people.project)
    services.create(bobs, {"path": "Of Bob", "type": "doc"})
    return Find(actor)


class Find:
    def __init__(self, actor: object) -> None:
        self.actor = actor

    def __call__(self, text: str) -> list[str]:
        found = listing.listing(self.actor, listing.Wanted(search=text, not_type="folder"))  # type: ignore[arg-type]
        paths_found = [entry.path for entry in found[0:1000]]
        assert len(found) == len(paths_found)
        return sorted(paths_found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("go/revenue", ["Banana/go\\/revenue", "Money/go\\/revenue"]),
        ("banana/go", ["Banana/go\\/revenue"]),
        ("banana/go/revenue", ["Banana/go\\/revenue"]),
        ("name:go/revenue money", ["Money/go\\/revenue"]),
        ("path:go/revenue", []),
        ("name:banana", []),
        ("path:banana", ["Banana/go\\/revenue"]),
        ('path:"q3 PLANS" !draft', ["Marketing/Q3 plans/Signup Funnel"]),
        ("path:marketing/q3", []),
        ("type:insight", ["Marketing/Q3 plans/Signup Funnel", "Money/go\\/revenue"]),
        ("type:Insight", []),
        ("INSIGHT", ["Marketing/Q3 plans/Signup Funnel", "Money/go\\/revenue"]),
        ("type:hog_function/", ["Line\nbreak/x"]),
        ("type:destination", ["Line\nbreak/x"]),
        ("type:dest", []),
        ("ref:R1", ["Money/go\\/revenue"]),
        ("ref:r1", []),
        ("-ref:R1 go", ["Banana/go\\/revenue"]),
        ("ärger", ["Ärger/ÖLPREIS Straße"]),
        ("ÄRGER", ["Ärger/ÖLPREIS Straße"]),
        ("ölpreis", ["Ärger/ÖLPREIS Straße"]),
        ("name:ö", ["Ärger/ÖLPREIS Straße"]),
        ("STRASSE", ["Ärger/ÖLPREIS Straße"]),
        ("σίσυφος", ["ΟΔΟΣ/Σίσυφος"]),
        ("οδοσ", ["ΟΔΟΣ/Σίσυφος"]),
        ("100%", ["Sales 100%/a_b"]),
        ("%", ["Sales 100%/a_b"]),
        ("a_b", ["Sales 100%/a_b"]),
        ("axb", []),
        ("_", ["Line\nbreak/x", "Sales 100%/a_b"]),
        ("bob's", ["bob's plan"]),
        ("\\", ["ends\\\\"]),
        ("name:ends\\", ["ends\\\\"]),
        ('"line break"', ["Line\nbreak/x"]),
        ("user:me name:go", ["Banana/go\\/revenue", "Money/go\\/revenue"]),
        ("user:BOB", ["Of Bob"]),
        ("author:bob@example", ["Of Bob"]),
        ("-user:alice", ["Of Bob"]),
        ("user:nobody", []),
        ("type:", []),
        ("zz", []),
        ('"', []),
        ("((", []),
    ],
)
def test_a_search_finds(find: Find, text: str, found: list[str]) -> None:
    assert find(text) == sorted(found)


def test_what_filters_nothing_finds_everything(find: Find) -> None:
    everything = sorted([*(path for path, _ in ENTRIES), "Of Bob"])
    for text in ("", "  ", "-", "name:", '""', "user:"):
        assert find(text) == everything, text
    assert find('-""') == []
    assert find("x" * 10_000) == []
    assert find("a " * 500) == find("a")


WORDS = st.sampled_from(["go", "re", "ä", "Ärg", "/", "lan", "plan", "doc", "%", "ss", "Σ", "\\", "q3 p", "x"])
FIELDS = st.sampled_from(["", "name", "path"])
SIGNS = st.sampled_from(["", "-", "!"])


@given(st.lists(st.tuples(SIGNS, FIELDS, WORDS), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_finds_what_reading_every_entry_would(find: Find, tokens: list[tuple[str, str, str]]) -> None:
    text = " ".join(f'{sign}{field}{":" if field else ""}"{word}"' for sign, field, word in tokens)

    assert find(text) == sorted(
        path for path, type in [*ENTRIES, ("Of Bob", "doc")] if all(_matches(path, type, *token) for token in tokens)
    )


def _matches(path: str, type: str, sign: str, field: str, word: str) -> bool:
    parts = [part.casefold() for part in paths.split(path)]
    looked_at = {"": ["/".join(parts), type.casefold()], "name": parts[-1:], "path": parts[:-1]}[field]
    return any(word.casefold() in each for each in looked_at) != bool(sign)
