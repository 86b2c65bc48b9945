import pyarrow as pa
import pytest

from hedgerow.core.errors import BadDataError
from hedgerow.lake import types

KEPT = [
    (pa.int8(), "integer", "TINYINT"),
    (pa.int16(), "integer", "SMALLINT"),
    (pa.int32(), "integer", "INTEGER"),
    (pa.int64(), "integer", "BIGINT"),
    (pa.float32(), "float", "FLOAT"),
    (pa.float64(), "float", "DOUBLE"),
    (pa.decimal128(38, 10), "decimal", "DECIMAL(38,10)"),
    (pa.string(), "string", "VARCHAR"),
    (pa.binary(), "string", "BLOB"),
    (pa.bool_(), "boolean", "BOOLEAN"),
    (pa.date32(), "date", "DATE"),
    (pa.timestamp("us"), "datetime", "TIMESTAMP"),
    (pa.timestamp("us", "UTC"), "datetime", "TIMESTAMP WITH TIME ZONE"),
]


@pytest.mark.parametrize(("arrow", "contract", "duckdb"), KEPT)
def test_a_stored_type_has_a_name_in_the_contract_and_in_duckdb(arrow: pa.DataType, contract: str, duckdb: str) -> None:
    assert (types.stored(arrow), types.contract(arrow), types.duckdb(arrow)) == (arrow, contract, duckdb)


@pytest.mark.parametrize(
    ("arrow", "carrier"),
    [
        (pa.uint8(), pa.int16()),
        (pa.uint32(), pa.int64()),
        (pa.uint64(), pa.decimal128(20, 0)),
        (pa.large_string(), pa.string()),
        (pa.string_view(), pa.string()),
        (pa.binary(16), pa.binary()),
        (pa.null(), pa.string()),
        (pa.dictionary(pa.int32(), pa.large_string()), pa.string()),
        (pa.timestamp("ms", "Europe/Berlin"), pa.timestamp("us", "UTC")),
        (pa.timestamp("s"), pa.timestamp("us")),
        (pa.decimal64(12, 2), pa.decimal128(12, 2)),
    ],
)
def test_other_types_are_carried_without_loss(arrow: pa.DataType, carrier: pa.DataType) -> None:
    assert types.stored(arrow) == carrier


@pytest.mark.parametrize(
    "arrow",
    [
        pa.timestamp("ns"),
        pa.decimal256(39, 0),
        pa.decimal128(5, -2),
        pa.list_(pa.int8()),
        pa.time64("us"),
        pa.float16(),
    ],
)
def test_what_would_lose_values_is_refused_by_column(arrow: pa.DataType) -> None:
    with pytest.raises(BadDataError, match='"odd"'):
        types.stored_schema(pa.schema([("fine", pa.int8()), ("odd", arrow)]))
