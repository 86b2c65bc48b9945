"""Asking the outside system on behalf of a request: its errors become 400s without secrets in their texts (§6.4)."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings as django_settings

from hedgerow.connectors import registry
from hedgerow.connectors.contract import Column, Connector, Reach, SourceTable
from hedgerow.core.errors import AppError, BadRequestError, CredentialsError, OutsideError, UnreachableError
from hedgerow.core.secrets import scrub
from hedgerow.sources import form
from hedgerow.sources import settings as sealed

log = logging.getLogger(__name__)

NO_CREDENTIALS: Final = "Invalid credentials"


def connector_of(source_type: str) -> Connector:
    """The connector of a type. Raises BadRequestError when this server has none."""
    try:
        return registry.get(source_type)
    except KeyError:
        raise BadRequestError(
            f"Source type {source_type} is not supported by this server.", field="source_type"
        ) from None


def reach() -> Reach:
    """Which hosts this server may connect to, and how long it bears their silence."""
    config = django_settings.CONFIG
    return Reach("public" if config.egress == "public" else "private", config.source_silence_seconds)


def connect(connector: Connector, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The settings checked: their shape (6.2), the hosts (6.3, 6.5), and a live login. Raises BadRequestError."""
    settings = form.validate(connector.spec, raw)
    with _refusing(connector, settings):
        connector.check(settings, reach())
    return settings


def tables(connector: Connector, settings: Mapping[str, Any], *, count_rows: bool = False) -> list[SourceTable]:
    """What is on offer, ordered by name. Raises BadRequestError with the connector's text."""
    with _refusing(connector, settings):
        return connector.tables(settings, reach(), count_rows=count_rows)


@contextmanager
def _refusing(connector: Connector, settings: Mapping[str, Any]) -> Iterator[None]:
    try:
        yield
    except (OutsideError, BadRequestError) as error:
        text = scrub(error.message, sealed.secret_values(connector.spec, settings))
        # Not chained: a traceback with the driver's own words could carry a secret into a log.
        raise BadRequestError(text or NO_CREDENTIALS, hint=error.hint) from None


_TEXTS: Final = (
    (CredentialsError, "Could not authenticate with the source. Check the connection credentials."),
    (UnreachableError, "Could not connect to the source. Check the host, port, and network access."),
)
_BY_CODE: Final = {
    "unresolvable": "Could not resolve the source host.",
    "timeout": "Connection timed out while fetching schemas from the source.",
}
NOT_FETCHED: Final = "Could not fetch schemas from source."


def refresh_error(error: Exception) -> BadRequestError:
    """Why a discovery asked for by hand failed, in the texts of §7.12."""
    if isinstance(error, AppError) and error.code in _BY_CODE:
        return BadRequestError(_BY_CODE[error.code])
    text = next((text for kind, text in _TEXTS if isinstance(error, kind)), NOT_FETCHED)
    if text == NOT_FETCHED:
        log.warning("Discovery failed with %s", type(error).__name__)  # its text may hold secrets
    return BadRequestError(text)


# --- how answers describe what is on offer (§7.9, §8.5) -----------------------------------------------------------


def preview(table: SourceTable) -> dict[str, Any]:
    """One entry of `database_schema`."""
    details = cursor_details(table)
    suggested = table.cursor_columns[0].name if table.cursor_columns else None
    return {
        "table": table.name,
        "should_sync": False,
        "incremental_fields": details["incremental_fields"],
        "incremental_available": details["incremental_available"],
        "append_available": details["append_available"],
        "incremental_field": suggested,
        "sync_type": None,
        "rows": table.rows,
        "should_sync_default": True,
        "description": table.description,
        "available_columns": details["available_columns"],
        "detected_primary_keys": details["detected_primary_keys"],
    }


def cursor_details(table: SourceTable) -> dict[str, Any]:
    """The answer of `incremental_fields`."""
    usable = bool(table.cursor_columns)
    return {
        "incremental_fields": [_cursor_field(c) for c in table.cursor_columns],
        "incremental_available": usable,
        "append_available": usable,
        "full_refresh_available": True,
        "available_columns": [_available(c) for c in table.columns],
        "detected_primary_keys": _keys(table.key),
    }


def _cursor_field(column: Column) -> dict[str, Any]:
    kind = column.cursor_type
    return {
        "label": column.name,
        "type": kind,
        "field": column.name,
        "field_type": kind,
        "nullable": column.nullable,
    }


def _available(column: Column) -> dict[str, Any]:
    return {"field": column.name, "label": column.name, "type": column.type, "nullable": column.nullable}


def _keys(key: Sequence[str]) -> list[str] | None:
    return list(key) or None
