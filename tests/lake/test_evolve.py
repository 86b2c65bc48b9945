from decimal import Context, Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.errors import BadDataError
from hedgerow.lake import evolve, types


def schema(**fields: pa.DataType) -> pa.Schema:
    return pa.schema(list(fields.items()))


def test_new_columns_are_added_and_vanished_ones_stay() -> None:
    before, incoming = schema(id=pa.int64(), gone=pa.string()), schema(id=pa.int64(), new=pa.bool_())
    assert evolve.merged_schema(before, incoming) == schema(id=pa.int64(), gone=pa.string(), new=pa.bool_())


def test_a_column_that_only_changed_its_case_is_the_same_column() -> None:
    assert evolve.merged_schema(schema(Total=pa.int64()), schema(total=pa.int64())) == schema(Total=pa.int64())


@pytest.mark.parametrize(
    ("old", "new", "both"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.int64(), pa.decimal128(10, 2), pa.decimal128(21, 2)),
        (pa.decimal128(10, 4), pa.decimal128(12, 2), pa.decimal128(14, 4)),
        (pa.decimal128(30, 0), pa.decimal128(30, 10), pa.string()),
        (pa.int64(), pa.decimal128(38, 30), pa.string()),
        (pa.int64(), pa.string(), pa.string()),
        (pa.decimal128(10, 2), pa.string(), pa.string()),
        (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
        (pa.int32(), pa.float64(), pa.float64()),
    ],
)
def test_types_widen_and_the_wider_one_is_kept(old: pa.DataType, new: pa.DataType, both: pa.DataType) -> None:
    assert evolve.merged_schema(schema(c=old), schema(c=new)).field("c").type == both
    assert evolve.merged_schema(schema(c=new), schema(c=old)).field("c").type == both


@pytest.mark.parametrize(
    ("old", "new", "both"),
    [
        (pa.int16(), pa.decimal128(18, 2), pa.decimal128(21, 2)),
        (pa.decimal128(18, 2), pa.int16(), pa.decimal128(18, 2)),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.decimal128(20, 2), pa.float32(), pa.float64()),
    ],
)
def test_some_types_widen_in_one_direction_only(old: pa.DataType, new: pa.DataType, both: pa.DataType) -> None:
    assert evolve.merged_schema(schema(c=old), schema(c=new)).field("c").type == both


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (pa.string(), pa.timestamp("us")),
        (pa.timestamp("us", "UTC"), pa.string()),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us", "UTC"), pa.timestamp("us")),
        (pa.date32(), pa.timestamp("us", "UTC")),
        (pa.float64(), pa.int64()),
        (pa.float64(), pa.decimal128(20, 2)),
        (pa.float64(), pa.string()),
        (pa.bool_(), pa.int8()),
        (pa.binary(), pa.string()),
    ],
)
def test_a_type_that_no_longer_fits_names_the_column_and_both_types_and_asks_for_a_resync(
    old: pa.DataType, new: pa.DataType
) -> None:
    with pytest.raises(BadDataError) as caught:
        evolve.merged_schema(schema(total=old), schema(total=new))
    assert all(part in caught.value.message for part in ("total", str(old), str(new)))
    assert "Resync" in caught.value.hint


STORED = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.string(), pa.bool_(), pa.binary()),
    *(pa.decimal128(9, 2), pa.decimal128(38, 0), pa.decimal128(38, 38)),
    *(pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")),
]


@given(st.sampled_from(STORED), st.sampled_from(STORED))
def test_what_was_widened_holds_the_old_type_and_the_new_one_from_then_on(old: pa.DataType, new: pa.DataType) -> None:
    try:
        wide = evolve.merged_schema(schema(c=old), schema(c=new)).field("c").type
    except BadDataError:
        return
    assert wide == types.stored(wide)
    assert evolve.merged_schema(schema(c=wide), schema(c=new)).field("c").type == wide, "not widened twice"


WIDE = Context(prec=38)
NUMBERS = st.integers(-(10**38) + 1, 10**38 - 1).map(lambda number: Decimal(number).scaleb(-18, WIDE))


@given(st.lists(st.none() | NUMBERS, min_size=2))
def test_decimals_that_become_text_or_floats_stay_what_they_are(values: list[Decimal | None]) -> None:
    batch = pa.record_batch([pa.array(values, pa.decimal128(38, 18))], ["c"]).slice(1)
    texts = evolve.conform(batch, schema(c=pa.string())).column(0).to_pylist()
    assert texts == [None if v is None else format(v, "f") for v in values[1:]]
    floats = evolve.conform(batch, schema(c=pa.float64())).column(0).to_pylist()
    assert floats == [None if v is None else float(v) for v in values[1:]]


def test_integers_become_the_floats_that_a_source_makes_of_them() -> None:
    batch = pa.record_batch([pa.array([2**53 + 1, -3], pa.int64())], ["c"])
    assert evolve.conform(batch, schema(c=pa.float64())).column(0).to_pylist() == [float(2**53 + 1), -3.0]


def test_a_batch_is_brought_into_the_tables_shape() -> None:
    batch = pa.record_batch({"B": [1], "a": ["x"]})
    wide = evolve.conform(batch, schema(a=pa.string(), b=pa.decimal128(21, 2), c=pa.int64()))
    assert wide.to_pylist() == [{"a": "x", "b": Decimal("1.00"), "c": None}]


def test_a_value_that_does_not_fit_after_all_names_its_column() -> None:
    with pytest.raises(BadDataError, match='"day"'):
        evolve.conform(pa.record_batch([pa.array([2**30], pa.date32())], ["day"]), schema(day=pa.timestamp("us")))
