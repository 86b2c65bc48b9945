from decimal import Decimal

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
        (pa.int16(), pa.decimal128(18, 2), pa.decimal128(18, 2)),
        (pa.decimal128(10, 4), pa.decimal128(12, 2), pa.decimal128(14, 4)),
        (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
    ],
)
def test_types_widen_in_both_directions(old: pa.DataType, new: pa.DataType, both: pa.DataType) -> None:
    assert evolve.merged_schema(schema(c=old), schema(c=new)).field("c").type == both
    assert evolve.merged_schema(schema(c=new), schema(c=old)).field("c").type == both


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (pa.string(), pa.int64()),
        (pa.int64(), pa.float64()),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.decimal128(38, 0), pa.decimal128(38, 38)),
        (pa.bool_(), pa.int8()),
    ],
)
def test_a_type_that_no_longer_fits_names_the_column_and_both_types_and_asks_for_a_resync(
    old: pa.DataType, new: pa.DataType
) -> None:
    with pytest.raises(BadDataError) as caught:
        evolve.merged_schema(schema(total=old), schema(total=new))
    assert all(part in caught.value.message for part in ("total", str(old), str(new)))
    assert "Resync" in caught.value.hint


STORED = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.decimal128(9, 2), pa.date32()]


@given(st.sampled_from(STORED), st.sampled_from(STORED))
def test_widening_is_symmetric_and_never_widens_twice(a: pa.DataType, b: pa.DataType) -> None:
    def both(x: pa.DataType, y: pa.DataType) -> pa.DataType | None:
        try:
            return evolve.merged_schema(schema(c=x), schema(c=y)).field("c").type
        except BadDataError:
            return None

    wide = both(a, b)
    assert wide == both(b, a)
    assert wide is None or both(wide, a) == both(wide, b) == wide == types.stored(wide)


def test_a_batch_is_brought_into_the_tables_shape() -> None:
    batch = pa.record_batch({"B": [1], "a": ["x"]})
    wide = evolve.conform(batch, schema(a=pa.string(), b=pa.decimal128(21, 2), c=pa.int64()))
    assert wide.to_pylist() == [{"a": "x", "b": Decimal("1.00"), "c": None}]


def test_a_value_that_does_not_fit_after_all_names_its_column() -> None:
    with pytest.raises(BadDataError, match='"day"'):
        evolve.conform(pa.record_batch([pa.array([2**30], pa.date32())], ["day"]), schema(day=pa.timestamp("us")))
