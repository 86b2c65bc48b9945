"""Checks of single values in a request, with the contract's texts and codes (external_data_sources.md §1.3).

Texts with NUL characters or lone surrogates never come this far: the API's parsers refuse them.
"""

import re
from collections.abc import Collection
from datetime import time
from typing import Any, Final

from hedgerow.core.errors import BadRequestError

_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


def text(value: object, field: str, *, max_length: int | None = None) -> str | None:
    """The value as trimmed text, None for null. Raises BadRequestError."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadRequestError("Not a valid string.", field=field)
    value = value.strip()
    if max_length is not None and len(value) > max_length:
        raise BadRequestError(
            f"Ensure this field has no more than {max_length} characters.", field=field, code="max_length"
        )
    return value


def not_null(value: object, field: str) -> object:
    """The value. Raises BadRequestError when it is null."""
    if value is None:
        raise BadRequestError("This field may not be null.", field=field, code="null")
    return value


def required(data: dict[str, Any], field: str) -> object:
    """The field's value. Raises BadRequestError when it is absent or null."""
    if field not in data:
        raise BadRequestError("This field is required.", field=field, code="required")
    return not_null(data[field], field)


def boolean(value: object, field: str) -> bool:
    """True or false, also as text or 1 and 0 (form bodies send nothing else). Raises BadRequestError."""
    found = to_boolean(value)
    if found is None:
        raise BadRequestError("Must be a valid boolean.", field=field)
    return found


def to_boolean(value: object) -> bool | None:
    """What `boolean` accepts, None for anything else."""
    return _BOOLEANS.get(str(value).strip().lower()) if isinstance(value, bool | int | str) else None


def choice(value: object, choices: Collection[str], field: str) -> str:
    """One of the choices. Raises BadRequestError."""
    if isinstance(value, str) and value in choices:
        return value
    raise not_a_choice(value, field)


def not_a_choice(value: object, field: str) -> BadRequestError:
    """The refusal of a value outside an enumeration."""
    return BadRequestError(f'"{str(value)[:200]}" is not a valid choice.', field=field, code="invalid_choice")


def time_of_day(value: object) -> time | None:
    """`HH:MM:SS` or `HH:MM`; None for null. Raises BadRequestError (§8.3)."""
    if value is None:
        return None
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    try:
        if match:
            hour, minute, second = (int(part or 0) for part in match.groups())
            return time(hour, minute, second)
    except ValueError:
        pass
    raise BadRequestError("Invalid sync time of day", field="sync_time_of_day")


def object_of(value: object, field: str) -> dict[str, Any]:
    """A JSON object. Raises BadRequestError."""
    if not isinstance(value, dict):
        raise BadRequestError(
            f'Expected a dictionary of items but got type "{type(value).__name__}".', field=field, code="not_a_dict"
        )
    return value
