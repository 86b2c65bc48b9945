"""What changed between two looks at a table, and what is kept of it."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hedgerow.sources import shape
from hedgerow.sources.shape import Shape

MOMENT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def column(name: str, declared: str = "int", *, nullable: bool = True) -> dict[str, Any]:
    return {"name": name, "declared": declared, "type": "integer", "nullable": nullable, "cursor_type": None}


def a_shape(*columns: dict[str, Any], key: tuple[str, ...] = ("id",), identity: str | None = "1") -> Shape:
    return Shape(columns or (column("id"), column("note", "text")), key, identity)


def kinds(before: Shape, after: Shape) -> list[tuple[str, str | None]]:
    return [(change["change"], change["column"]) for change in shape.differences(before, after)]


NAMES = st.lists(st.sampled_from("abcdef"), unique=True)
SHAPES = st.builds(
    Shape,
    NAMES.flatmap(
        lambda names: st.tuples(*(st.builds(column, st.just(n), st.sampled_from(["int", "text"])) for n in names))
    ),
    NAMES,
    st.none() | st.sampled_from("12"),
)


@given(SHAPES)
def test_the_same_shape_is_no_change(same: Shape) -> None:
    assert shape.differences(same, same) == []


@given(SHAPES, SHAPES)
def test_every_column_is_told_of_as_new_gone_or_other(before: Shape, after: Shape) -> None:
    found = kinds(before, after)
    old, new = ({c["name"]: c["declared"] for c in each.columns} for each in (before, after))
    assert {c for kind, c in found if kind == shape.ADDED} == new.keys() - old.keys()
    assert {c for kind, c in found if kind == shape.DROPPED} == old.keys() - new.keys()
    assert {c for kind, c in found if kind == shape.TYPE} == {n for n in old.keys() & new.keys() if old[n] != new[n]}
    assert ((shape.KEY, None) in found) == (set(before.key) != set(after.key))


def test_the_order_of_columns_and_of_the_key_is_no_change() -> None:
    assert (
        kinds(a_shape(column("a"), column("b"), key=("a", "b")), a_shape(column("b"), column("a"), key=("b", "a")))
        == []
    )


def test_what_was_not_known_before_is_no_change() -> None:
    unknown = a_shape({"name": "id", "type": "integer", "nullable": True}, identity=None)
    assert kinds(unknown, a_shape(column("id"))) == []
    assert kinds(a_shape(identity="1"), a_shape(identity=None)) == []


def test_a_table_made_anew_and_its_key_come_first() -> None:
    before, after = a_shape(identity="1"), a_shape(column("uid", "uuid", nullable=False), key=("uid",), identity="2")
    assert kinds(before, after)[:2] == [(shape.REMADE, None), (shape.KEY, None)]
    assert shape.differences(before, a_shape(key=()))[0]["message"] == "The key of the table changed from id to none."


def test_null_allowed_and_forbidden() -> None:
    free, filled = a_shape(column("id")), a_shape(column("id", nullable=False))
    assert kinds(free, filled) == [(shape.FILLED, "id")]
    assert kinds(filled, free) == [(shape.NULLABLE, "id")]


def test_a_column_of_the_same_type_in_the_same_place_was_perhaps_renamed() -> None:
    before, after = a_shape(column("id"), column("note", "text")), a_shape(column("id"), column("remark", "text"))
    gone, new = shape.differences(before, after)
    assert "renamed to remark" in gone["message"]
    assert "called note before" in new["message"]
    for other in (a_shape(column("id"), column("remark", "int")), a_shape(column("remark", "text"), column("id"))):
        assert all("erhaps" not in change["message"] for change in shape.differences(before, other))


def test_a_change_of_type_names_both_types() -> None:
    (change,) = shape.differences(a_shape(column("total", "bigint")), a_shape(column("total", "numeric(38,2)")))
    assert (change["from"], change["to"]) == ("bigint", "numeric(38,2)")
    assert change["message"] == "total: bigint became numeric(38,2)."


def test_changes_are_dated_and_the_newest_are_kept() -> None:
    new = shape.differences(a_shape(), a_shape(column("id")))
    earlier: list[dict[str, Any]] = [{"n": number} for number in range(shape.KEPT)]
    changes = shape.dated(new, MOMENT, earlier)
    assert (changes[0]["at"], changes[0]["run"]) == ("2026-11-24T10:00:00.000000Z", None)
    assert (len(changes), changes[-1]) == (shape.KEPT, {"n": shape.KEPT - 2})


def test_a_run_completes_what_is_open_and_only_that() -> None:
    done = {"change": shape.TYPE, "column": "note", "run": "earlier", "message": "note: int became text."}
    types = {"id": "INTEGER", "note": "VARCHAR"}
    after = a_shape(column("id", "bigint"), column("note", "text"))
    changes = shape.dated(shape.differences(a_shape(), after), MOMENT, [done])
    told = shape.applied(changes, run="run", whole=False, before=types, after={**types, "id": "BIGINT"})
    assert told[0]["message"] == "id: int became bigint. Stored as BIGINT, before as INTEGER."
    assert (told[0]["run"], told[1]) == ("run", done)
