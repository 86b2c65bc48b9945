"""Ids sort by the time they were made, and text that is not an id is told apart without an exception."""

import uuid

import pytest

from hedgerow.core.ids import parse_uuid, random_base62, uuid7


def test_ids_are_version_7_and_all_different() -> None:
    made = [uuid7() for _ in range(1000)]

    assert {(each.version, each.variant) for each in made} == {(7, uuid.RFC_4122)}
    assert len(set(made)) == 1000


def test_the_first_48_bits_are_the_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_123_456_789)

    assert uuid7().int >> 80 == 1_700_000_000_123


def test_a_canonical_id_is_read_in_either_case() -> None:
    text = "0194c0de-0000-7000-8000-00000000000a"

    assert parse_uuid(text) == parse_uuid(text.upper()) == uuid.UUID(text)


@pytest.mark.parametrize(
    "text", ["", "12", "x" * 36, "0194c0de000070008000000000000001", "{0194c0de-0000-7000-8000-000000000001}", 7, None]
)
def test_anything_else_is_no_id(text: object) -> None:
    assert parse_uuid(text) is None


def test_a_line_break_after_an_id_is_no_id() -> None:
    assert parse_uuid("0194c0de-0000-7000-8000-000000000001\n") is None


def test_secrets_have_the_length_asked_for_and_only_letters_and_digits() -> None:
    value = random_base62(500)

    assert len(value) == 500
    assert value.isalnum()
    assert value.isascii()
    assert value != random_base62(500)
