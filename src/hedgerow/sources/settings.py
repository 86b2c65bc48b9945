"""The settings of a stored source: sealed at rest, shown without secrets (external_data_sources.md §6)."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from django.conf import settings as django_settings

from hedgerow.connectors import registry
from hedgerow.connectors.spec import Spec
from hedgerow.core.secrets import Sealer, SealError
from hedgerow.sources.form import stored_secrets, visible
from hedgerow.sources.models import Source


def opened(source: Source) -> dict[str, Any]:
    """The settings with their secrets; {} when there are none. Raises core.secrets.SealError."""
    return _sealer(django_settings.SECRET_KEY).open(source.sealed_settings)


def seal(settings: dict[str, Any]) -> str:
    """The settings as `Source.sealed_settings` keeps them."""
    return _sealer(django_settings.SECRET_KEY).seal(settings)


def public(source: Source) -> dict[str, Any]:
    """What answers show as `job_inputs` (§6.4): {} when the type is not known any more or nothing can be opened."""
    try:
        return visible(registry.get(source.source_type).spec, opened(source)) if source.sealed_settings else {}
    except (KeyError, SealError):
        return {}


def secret_values(spec: Spec, settings: Mapping[str, Any]) -> list[str]:
    """Every secret in every form in which a driver's error may repeat it; for `core.secrets.scrub`."""
    return [form for value in stored_secrets(spec, settings).values() for form in _forms(value)]


def secrets_of(source: Source) -> list[str]:
    """`secret_values` of a stored source; [] when its type is not known any more or nothing can be opened."""
    try:
        return secret_values(registry.get(source.source_type).spec, opened(source))
    except (KeyError, SealError):
        return []


def _forms(value: str) -> set[str]:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return {value, quote(value), quote(value, safe=""), quote_plus(value), escaped}


@lru_cache(maxsize=4)
def _sealer(secret_key: str) -> Sealer:
    return Sealer(secret_key)
