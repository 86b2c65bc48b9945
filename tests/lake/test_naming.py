import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.lake import naming
from hedgerow.lake.storage import Storage
from tests.lake.tables import content, replace

ODD = [
    " ",
    "A b",
    "c,d",
    "e;f",
    "g{}",
    "h()",
    "i\nj",
    "k\tl",
    "m=n",
    'o"p',
    "q.r",
    "ü😀",
    "`s`",
    "t'u",
    "a/b",
    "100%",
    "%20",
]
ODD += ["select", "_id", "0", "x" * 200, "$1", "\\", "min.x", "#", "?", "[1]", "*"]


def test_names_are_kept_as_they_are() -> None:
    assert naming.column_names(ODD) == {name: name for name in ODD}


def test_every_odd_name_is_read_back_by_delta_rs_polars_and_duckdb(storage: Storage) -> None:
    replace(storage, 1, pa.table({name: [index, None] for index, name in enumerate(ODD)}))
    assert content(storage).to_pylist()[0] == {name: index for index, name in enumerate(ODD)}


@pytest.mark.parametrize(
    ("names", "stored"),
    [
        (["Id", "ID", "id"], ["Id", "ID_2", "id_3"]),
        (["a", "A", "a_2"], ["a", "A_3", "a_2"]),
        ([""], ["column"]),
        (["", "Column"], ["column_2", "Column"]),
    ],
)
def test_names_that_clash_get_a_number(names: list[str], stored: list[str]) -> None:
    assert list(naming.column_names(names).values()) == stored


@given(st.lists(st.text("aAbB_2", max_size=4), unique=True, max_size=12))
def test_stored_names_never_clash_and_are_stable(names: list[str]) -> None:
    stored = naming.column_names(names)
    assert list(stored) == names
    assert len({name.lower() for name in stored.values()}) == len(names)
    assert "" not in stored.values()
    assert naming.column_names(stored.values()) == {name: name for name in stored.values()}
