from decimal import Decimal

import pyarrow as pa
import pytest

from hedgerow.connectors.kits.sql import pg_decode
from hedgerow.connectors.kits.sql.pg_types import Plan

PRICE = Plan("{}::text", "decimal", (5, 2))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("1.25", "1.25"), ("1.2", "1.20"), ("-999.99", "-999.99"), ("1e2", "100.00"), ("0E-18", "0.00"),
        ("1.250", "1.25"), ("1.256", None), ("1000", None), ("NaN", None), ("-Infinity", None),
        ("words", None), ("", None),
    ],
)  # fmt: skip
def test_decimals_are_kept_exactly_or_not_at_all(text: str, kept: str | None) -> None:
    decoded, lost = pg_decode.decode(pa.array([text, None, "7.00"]), PRICE)
    assert decoded.type == pa.decimal128(5, 2)
    assert decoded.to_pylist() == [kept and Decimal(kept), None, Decimal("7.00")]
    assert (lost is None) == (kept is not None)
    if lost:
        assert lost.mask.to_pylist() == [True, False, False]
        assert lost.texts[0].as_py() == text


def test_a_text_with_a_real_replacement_character_is_not_taken_for_a_broken_one() -> None:
    values = pa.array(["\N{REPLACEMENT CHARACTER}".encode(), b"caf\xe9", None])
    decoded, lost = pg_decode.decode(values, Plan("{0}::text", "string"))
    assert decoded.to_pylist() == ["\N{REPLACEMENT CHARACTER}", "caf\N{REPLACEMENT CHARACTER}", None]
    assert lost is not None
    assert lost.mask.to_pylist() == [False, True, False]
    assert lost.texts.to_pylist() == [None, "\\x636166e9", None]


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0, "1970-01-01"), (-1, "1969-12-31"), (11016, "2000-02-29"), (19782, "2024-02-29"), (-719162, "0001-01-01"),
        (-719163, "0001-12-31 BC"), (-735160, "0044-03-15 BC"), (-2440550, "4713-01-01 BC"), (2932896, "9999-12-31"),
        (2145042905, "5874897-12-31"),
    ],
)  # fmt: skip
def test_dates_of_all_times_print_as_the_source_does(days: int, text: str) -> None:
    assert pg_decode.source_text(days, Plan("{}", "date")) == text


def test_times_print_without_trailing_zeros_and_with_their_zone() -> None:
    at = 1_704_067_200_000_000
    assert pg_decode.source_text(at, Plan("{}", "timestamp")) == "2024-01-01 00:00:00"
    assert pg_decode.source_text(at + 120_000, Plan("{}", "instant")) == "2024-01-01 00:00:00.12+00"
    assert pg_decode.source_text(at - 1, Plan("{}", "instant")) == "2023-12-31 23:59:59.999999+00"


def test_the_furthest_value_is_never_nan_and_grows() -> None:
    assert pg_decode.furthest(None, pa.array([1.5, float("nan"), None, float("inf")])) == 1.5
    assert pg_decode.furthest(2, pa.array([1], pa.int32())) == 2
    assert pg_decode.furthest(2, pa.array([None], pa.int32())) == 2
    assert pg_decode.furthest(None, pa.array([], pa.int64())) is None
