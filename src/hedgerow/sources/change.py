"""Changing settings: merge what is given into what is stored; never send a stored secret elsewhere (§6.6). Pure."""

from collections.abc import Mapping
from typing import Any, Final

from hedgerow.connectors.spec import Field, Select, Spec, SSHTunnel
from hedgerow.core.errors import BadRequestError
from hedgerow.sources.form import (
    TUNNEL_SECRETS,
    Path,
    canonical,
    chosen,
    inner_fields,
    is_nested,
    is_secret,
    key_of,
    stored_secrets,
    tunnel_keys,
)
from hedgerow.sources.inputs import to_boolean

HOST_CHANGED: Final = "Changing the connection host requires re-entering your credentials."
TUNNEL_CHANGED: Final = "Changing the SSH tunnel requires re-entering your database credentials."
TUNNEL_HOST_CHANGED: Final = "Changing the SSH tunnel host requires re-entering your SSH credentials."

Values = Mapping[str, Any]


def merge(spec: Spec, stored: Values, given: Values) -> dict[str, Any]:
    """The stored settings with the given ones on top; not yet checked against the form.

    An empty secret keeps the stored one. Raises BadRequestError for a nested value that is no object, and when a
    stored secret would be sent to another host than before.
    """
    given = canonical(given)
    merged = _merge_fields(spec.fields, stored, given)
    _refuse_redirection(spec, stored, given, merged)
    return merged


def _merge_fields(fields: tuple[Field, ...], stored: Values, given: Values) -> dict[str, Any]:
    merged = dict(stored)
    for field in fields:
        key = key_of(field)
        if key in given:
            merged[key] = _merge_value(field, stored.get(key), given[key])
    return merged


def _merge_value(field: Field, old: Any, new: Any) -> Any:
    if is_secret(field):
        return old if _is_blank(new) else new
    if not is_nested(field) or (new is None and (old is None or isinstance(field, SSHTunnel))):
        return new
    if not isinstance(new, dict):
        raise BadRequestError("Must be an object.", field=f"job_inputs__{key_of(field)}")
    before = old if isinstance(old, dict) else {}
    if isinstance(field, SSHTunnel):
        return _merge_tunnel(before, tunnel_keys(new))
    return _merge_nested(field, before, canonical(new))


def _merge_nested(field: Field, old: Values, new: dict[str, Any]) -> dict[str, Any]:
    """A nested select keeps what it has only while its selection stays; a switch group keeps it always."""
    if isinstance(field, Select):
        selection = new.get("selection", old.get("selection"))
        if chosen(field, selection) != chosen(field, old.get("selection")):
            old = {}
        new = {**new, "selection": selection}
    fields = tuple(inner_fields(field, {**old, **new}))
    return {**new, **_merge_fields(fields, old, new), **{k: new[k] for k in ("selection", "enabled") if k in new}}


def _merge_tunnel(old: Values, new: dict[str, Any]) -> dict[str, Any]:
    merged = {**old, **new}
    stored, given = old.get("auth"), new.get("auth")
    if given is None and stored is not None:
        merged["auth"] = stored
    elif isinstance(given, dict) and isinstance(stored, dict):
        if _text(given.get("selection", stored.get("selection"))) != _text(stored.get("selection")):
            stored = {k: v for k, v in stored.items() if k not in TUNNEL_SECRETS}
        kept = {k: v for k, v in given.items() if not (k in TUNNEL_SECRETS and _is_blank(v))}
        merged["auth"] = {**stored, **kept}
    return merged


def _refuse_redirection(spec: Spec, stored: Values, given: Values, merged: Values) -> None:
    """§6.6.5. A secret counts as given again when the request holds a value for it."""
    tunnel = next((f for f in spec.fields if isinstance(f, SSHTunnel)), None)
    tunnel_key = key_of(tunnel) if tunnel else ""
    before = stored.get(tunnel_key) or {}
    in_use = stored_secrets(spec, stored)
    if not before.get("enabled"):
        in_use = {path: value for path, value in in_use.items() if path[0] != tunnel_key}
    if any(_differs(stored, given, target) for target in spec.targets) and not _all_given(in_use, given, tunnel_key):
        raise BadRequestError(HOST_CHANGED, field="job_inputs")
    if tunnel is None or tunnel_key not in given:
        return
    after = merged.get(tunnel_key) or {}
    changed = {k for k in ("enabled", "host", "port") if _tunnel_text(k, before) != _tunnel_text(k, after)}
    database = {path: value for path, value in in_use.items() if path[0] != tunnel_key}
    if changed and not _all_given(database, given, tunnel_key):
        raise BadRequestError(TUNNEL_CHANGED, field="job_inputs")
    if "host" in changed and not _new_tunnel_credentials(before, given[tunnel_key], after):
        raise BadRequestError(TUNNEL_HOST_CHANGED, field="job_inputs")


def _new_tunnel_credentials(before: Values, given: Any, after: Values) -> bool:
    """Whether the SSH credentials come with the request, none of them from what is stored."""
    if not isinstance(given, dict):
        return True
    auth = tunnel_keys(given).get("auth")
    if not isinstance(auth, dict):
        return False
    stored, used = before.get("auth") or {}, after.get("auth") or {}
    return all(not stored.get(k) or not used.get(k) or not _is_blank(auth.get(k)) for k in TUNNEL_SECRETS)


def _differs(stored: Values, given: Values, key: str) -> bool:
    return key in given and _text(given[key]) != _text(stored.get(key))


def _tunnel_text(key: str, tunnel: Values) -> str:
    return str(bool(to_boolean(tunnel.get(key)))) if key == "enabled" else _text(tunnel.get(key))


def _all_given(secrets: Mapping[Path, str], given: Values, tunnel_key: str) -> bool:
    return all(not _is_blank(_at(given, path, tunnel_key)) for path in secrets)


def _at(given: Values, path: Path, tunnel_key: str) -> Any:
    """What the request holds at this path, in any accepted spelling."""
    value: Any = given
    for part in path:
        if not isinstance(value, dict):
            return None
        value = canonical(value).get(part)
        if part == tunnel_key and isinstance(value, dict):
            value = tunnel_keys(value)
    return value


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value).strip()


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
