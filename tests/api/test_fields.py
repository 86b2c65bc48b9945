"""Times as the contract writes them; fields that read forms."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from rest_framework import serializers

from hedgerow.api.bodies import FormText
from hedgerow.api.fields import AnyField, ListField, ObjectField, timestamp


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, None),
        (datetime(2026, 1, 19, 8, 30, 11, 482913, tzinfo=UTC), "2026-01-19T08:30:11.482913Z"),
        (datetime(2026, 1, 19, 8, 30, 11, tzinfo=UTC), "2026-01-19T08:30:11Z"),
        (datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))), "2025-12-31T23:00:00Z"),
    ],
)
def test_times_are_utc_and_end_in_z(moment: datetime | None, text: str | None) -> None:
    assert timestamp(moment) == text


def test_fields_read_a_forms_json() -> None:
    assert ObjectField().run_validation(FormText('{"a": {"b": 1}}')) == {"a": {"b": 1}}
    assert ListField(child=serializers.IntegerField()).run_validation(FormText("[1, 2]")) == [1, 2]
    assert AnyField().run_validation(FormText("[1]")) == [1]
    with pytest.raises(serializers.ValidationError):
        ObjectField().run_validation('{"a": 1}')
