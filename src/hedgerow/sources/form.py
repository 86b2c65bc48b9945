"""Settings against a connector's form: check them, tell what is secret, show the rest (§6.1, 6.2, 6.4, 6.5). Pure.

Settings are a dict with underscored keys. What was not given is not in it.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hedgerow.connectors.spec import Field, Input, Option, Select, Spec, SSHTunnel, SwitchGroup
from hedgerow.core.errors import BadRequestError
from hedgerow.sources.inputs import to_boolean

Path = tuple[str, ...]

TUNNEL_SECRETS: Final = ("password", "passphrase", "private_key")
_ALIASES: Final = {"auth_type": "auth", "type": "selection"}
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
_PORTS: Final = range(1, 65_536)


def key_of(field: Field) -> str:
    """Under which key a field's value is stored."""
    return field.name.replace("-", "_")


def canonical(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Hyphens in keys become underscores; of two spellings the underscored one wins."""
    return {k.replace("-", "_"): v for k, v in sorted(raw.items(), key=lambda pair: "-" not in pair[0])}


def tunnel_keys(raw: Mapping[str, Any]) -> dict[str, Any]:
    """An SSH tunnel's object with `auth` for `auth_type` and `selection` for `type`."""
    tunnel = {_ALIASES.get(k, k): v for k, v in canonical(raw).items()}
    if isinstance(tunnel.get("auth"), dict):
        tunnel["auth"] = {_ALIASES.get(k, k): v for k, v in canonical(tunnel["auth"]).items()}
    return tunnel


def chosen(field: Select, selection: object) -> Option | None:
    """The option of this value (booleans and numbers in their text form too)."""
    wanted = str(selection).strip()
    if isinstance(selection, bool):
        wanted = wanted.lower()
    return next((o for o in field.options if o.value == wanted), None)


def is_nested(field: Field) -> bool:
    """Whether the field's value is an object."""
    return not isinstance(field, Input) and (not isinstance(field, Select) or any(o.fields for o in field.options))


def inner_fields(field: Field, value: Mapping[str, Any]) -> Sequence[Field]:
    """The fields inside a nested select or a switch group, as far as the value selects them."""
    if isinstance(field, SwitchGroup):
        return field.fields
    if isinstance(field, Select):
        option = chosen(field, value.get("selection"))
        return option.fields if option else ()
    return ()


# --- checking (§6.2) ---------------------------------------------------------------------------------------------


def validate(spec: Spec, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they are stored: known keys only, trimmed, numbers as numbers.

    Raises BadRequestError with `Invalid source config: ` and every problem, in form order.
    """
    problems: list[str] = []
    checked = _fields(spec.fields, raw, "", problems)
    if problems:
        raise BadRequestError(f"Invalid source config: {', '.join(problems)}")
    return checked


def _fields(fields: Iterable[Field], raw: Mapping[str, Any], path: str, problems: list[str]) -> dict[str, Any]:
    given = canonical(raw)
    checked = {}
    for field in fields:
        value = _value(field, given.get(key_of(field)), path, problems)
        if value is not None:
            checked[key_of(field)] = value
    return checked


def _value(field: Field, raw: object, path: str, problems: list[str]) -> Any:
    """The value to store; None: nothing was given, or a problem was noted."""
    name = path + key_of(field)
    if isinstance(field, Input) and isinstance(raw, str) and not path:
        raw = raw.strip()
    required = field.required if isinstance(field, Input | Select) else False
    if raw is None or (raw == "" and (required or not _may_be_empty(field))):
        if required:
            problems.append(f"Required field '{name}' is missing")
        return None
    if isinstance(field, Input):
        check: Callable[..., Any] = _number if field.type == "number" else _text
        return check(name, raw, problems)
    if not is_nested(field):
        return _choice(field, name, raw, problems) if isinstance(field, Select) else None
    if not isinstance(raw, dict):
        problems.append(f"Field '{name}' must be an object")
        return None
    return _nested(field, name, raw, problems)


def _may_be_empty(field: Field) -> bool:
    """An optional text may be empty on purpose: that differs from not being given."""
    return isinstance(field, Input) and field.type != "number"


def _nested(field: Field, name: str, raw: dict[str, Any], problems: list[str]) -> dict[str, Any] | None:
    if isinstance(field, SSHTunnel):
        return _tunnel(name, tunnel_keys(raw), problems)
    if isinstance(field, SwitchGroup):
        return _group(field, name, canonical(raw), problems)
    assert isinstance(field, Select)  # noqa: S101 - the only other nested kind
    given = canonical(raw)
    option = chosen(field, given.get("selection"))
    if option is None:
        problems.append(_not_an_option(field, f"{name}.selection"))
        return None
    return {"selection": option.value, **_fields(option.fields, given, f"{name}.", problems)}


def _group(field: SwitchGroup, name: str, given: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    enabled = _switch(name, given.get("enabled", field.default), problems)
    inner: list[str] = []
    values = _fields(field.fields, given, f"{name}.", inner)
    if enabled:
        problems.extend(inner)
    return {"enabled": enabled, **values}


def _tunnel(name: str, given: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """Types only; what must be there when it is enabled is `egress.tunnel_options`'s (§6.5)."""
    enabled = _switch(name, given.get("enabled", False), problems)
    inner: list[str] = []
    tunnel: dict[str, Any] = {"enabled": enabled}
    host, port, auth = (None if given.get(k) == "" else given.get(k) for k in ("host", "port", "auth"))
    if host is not None:
        tunnel["host"] = _text(f"{name}.host", host.strip() if isinstance(host, str) else host, inner)
    if port is not None:
        tunnel["port"] = _number(f"{name}.port", port, inner)
    if isinstance(auth, dict):
        keys = ("selection", "username", *TUNNEL_SECRETS)
        parts = {k: auth[k] for k in keys if auth.get(k) not in (None, "")}
        tunnel["auth"] = {k: _text(f"{name}.auth.{k}", v, inner) for k, v in parts.items()}
    elif auth is not None:
        inner.append(f"Field '{name}.auth' must be an object")
    if enabled:
        problems.extend(inner)
    return _without_none(tunnel)


def _without_none(value: dict[str, Any]) -> dict[str, Any]:
    return {k: _without_none(v) if isinstance(v, dict) else v for k, v in value.items() if v is not None}


def _switch(name: str, raw: object, problems: list[str]) -> bool:
    enabled = False if raw is None else to_boolean(raw)
    if enabled is None:
        problems.append(f"Field '{name}.enabled' must be a boolean")
    return bool(enabled)


def _text(name: str, raw: object, problems: list[str]) -> str | None:
    if isinstance(raw, str):
        return raw
    problems.append(f"Field '{name}' must be a string")
    return None


def _number(name: str, raw: object, problems: list[str]) -> int | float | None:
    if name.rpartition(".")[2] == "port":
        return _port(name, raw, problems)
    number = _to_number(raw)
    if number is None:
        problems.append(f"Field '{name}' must be a number")
    return number


def _port(name: str, raw: object, problems: list[str]) -> int | None:
    port = None if isinstance(raw, float) else _to_number(raw)
    if isinstance(port, int) and port in _PORTS:
        return port
    between = " between 1 and 65535" if isinstance(port, int) else ""
    problems.append(f"Field '{name}' must be a number{between}")
    return None


def _to_number(raw: object) -> int | float | None:
    if isinstance(raw, bool):
        return None
    if isinstance(raw, str) and _NUMBER.fullmatch(raw.strip()):
        return float(raw) if "." in raw else int(raw)
    if isinstance(raw, int) or (isinstance(raw, float) and math.isfinite(raw)):
        return raw
    return None


def _choice(field: Select, name: str, raw: object, problems: list[str]) -> str | int | bool | None:
    option = chosen(field, raw)
    if option is None:
        problems.append(_not_an_option(field, name))
        return None
    if field.converter == "str_to_bool":
        return option.value == "true"
    if field.converter in ("str_to_int", "str_to_optional_int"):
        return int(option.value) if option.value else None
    return option.value


def _not_an_option(field: Select, name: str) -> str:
    return f"Field '{name}' must be one of {', '.join(o.value for o in field.options)}"


# --- secrets and what may be shown (§6.4) ------------------------------------------------------------------------


def is_secret(field: Field) -> bool:
    """Whether the field's own value never leaves the server."""
    return isinstance(field, Input) and (field.secret or field.type == "password")


def stored_secrets(spec: Spec, settings: Mapping[str, Any]) -> dict[Path, str]:
    """Every secret in the settings by its path."""
    return dict(_secrets(spec.fields, settings, ()))


def _secrets(fields: Iterable[Field], values: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    for field in fields:
        value, here = values.get(key_of(field)), (*path, key_of(field))
        if is_secret(field) and value:
            yield here, str(value)
        elif isinstance(field, SSHTunnel) and isinstance(value, dict):
            auth = value.get("auth") or {}
            yield from (((*here, "auth", k), auth[k]) for k in TUNNEL_SECRETS if auth.get(k))
        elif is_nested(field) and isinstance(value, dict):
            yield from _secrets(inner_fields(field, value), value, here)


def visible(spec: Spec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Known settings without anything secret: what answers show as `job_inputs`. Not given is null."""
    return _visible(spec.fields, settings)


def _visible(fields: Iterable[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    return {key_of(f): _shown(f, values.get(key_of(f))) for f in fields if not is_secret(f)}


def _shown(field: Field, value: Any) -> Any:
    if isinstance(field, SSHTunnel) and isinstance(value, dict):
        auth = value.get("auth")
        kept = {k: value.get(k) for k in ("enabled", "host", "port")}
        return {**kept, "auth": {k: auth.get(k) for k in ("selection", "username")} if auth else None}
    if is_nested(field) and isinstance(value, dict):
        switch = "enabled" if isinstance(field, SwitchGroup) else "selection"
        return {switch: value.get(switch), **_visible(inner_fields(field, value), value)}
    return value
