from decimal import Decimal

import pyarrow as pa
import pytest

from hedgerow.core.errors import KeyRequiredError
from hedgerow.lake.storage import Storage
from tests.lake.tables import PEOPLE, content, files, merge, rows


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a", "ü", "A"]),
        pa.array([Decimal("1.10"), Decimal("-2"), Decimal(10**27)], pa.decimal128(38, 2)),
        pa.array([0, 1, -1], pa.timestamp("us", "UTC")),
        pa.array([0, 1, -1], pa.timestamp("us")),
        pa.array([0, 1, -700000], pa.date32()),
        pa.array([b"", b"\x00", b"\xff"]),
        pa.array(["0199d3ab-90f2-7a88-b1c5-0b7e52d1c9aa", "z" * 300, "0199d3ab-90f2-7a88-b1c5-0b7e52d1c9ab"]),
    ],
    ids=str,
)
def test_a_key_may_have_any_type(storage: Storage, values: pa.Array) -> None:
    merge(storage, 1, pa.table({"key": values, "n": [1, 2, 3]}), ["key"])
    merge(storage, 2, pa.table({"key": values.take([2, 0]), "n": [30, 10]}), ["key"])
    wanted = pa.table({"key": values, "n": [10, 2, 30]})
    assert content(storage).sort_by("n").to_pylist() == wanted.sort_by("n").to_pylist()


def test_a_key_may_have_several_columns(storage: Storage) -> None:
    table = pa.table({"Shop": ["a", "a", "b"], "no": [1, 2, 1], "n": [1, 2, 3]})
    merge(storage, 1, table, ["Shop", "no"])
    merge(storage, 2, pa.table({"Shop": ["a", "b"], "no": [2, 2], "n": [20, 40]}), ["Shop", "no"])
    assert content(storage).sort_by("n")["n"].to_pylist() == [1, 3, 20, 40]


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("keys", [[1, 1], [1, None]])
def test_a_key_that_is_not_unique_or_null_is_refused(storage: Storage, exists: bool, keys: list[int | None]) -> None:
    if exists:
        merge(storage, 1, PEOPLE)
    before = files(storage)
    with pytest.raises(KeyRequiredError, match=r"^The primary keys for this table are not unique$"):
        merge(storage, 2, pa.table({"id": pa.array(keys, pa.int64()), "name": ["x", "y"]}))
    assert files(storage) == before


@pytest.mark.parametrize("key", [[], ["nope"]])
def test_a_merge_needs_a_key_among_the_columns(storage: Storage, key: list[str]) -> None:
    with pytest.raises(KeyRequiredError, match="Primary key required for incremental syncs"):
        merge(storage, 1, PEOPLE, key)


def test_a_key_column_may_widen_in_the_same_merge(storage: Storage) -> None:
    merge(storage, 1, pa.table({"id": pa.array([1, 2], pa.int16()), "v": ["a", "b"]}))
    merge(storage, 2, pa.table({"id": pa.array([2, 2**40]), "v": ["B", "c"]}))
    assert rows(storage) == [{"id": 1, "v": "a"}, {"id": 2, "v": "B"}, {"id": 2**40, "v": "c"}]


def test_columns_that_clash_in_case_are_both_kept_and_merged(storage: Storage) -> None:
    merge(storage, 1, pa.table([[1, 2], ["a", "b"]], names=["ID", "id"]), ["id"])
    merge(storage, 2, pa.table([[20], ["b"]], names=["ID", "id"]), ["id"])
    assert rows(storage, "ID") == [{"ID": 1, "id_2": "a"}, {"ID": 20, "id_2": "b"}]
