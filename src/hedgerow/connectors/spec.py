"""The form of a connector: one description for the wizard, for checking settings and for hiding secrets (§4, §6)."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Input:
    """A single value: text, number or password. `secret` values never leave the server."""

    name: str
    label: str
    type: Literal["text", "email", "search", "url", "time", "number", "textarea", "password"] = "text"
    required: bool = True
    placeholder: str = ""
    caption: str | None = None
    secret: bool = False


@dataclass(frozen=True)
class Option:
    label: str
    value: str
    fields: tuple["Field", ...] = ()


@dataclass(frozen=True)
class Select:
    """A choice. With option fields the value is an object `{"selection": …, <field>: …}`, else the chosen value."""

    name: str
    label: str
    options: tuple[Option, ...]
    default: str
    required: bool = True
    converter: Literal["str_to_int", "str_to_bool", "str_to_optional_int"] | None = None


@dataclass(frozen=True)
class SwitchGroup:
    """A switch with fields that count only when it is on: `{"enabled": bool, <field>: …}`."""

    name: str
    label: str
    fields: tuple["Field", ...]
    default: bool = False
    caption: str | None = None


@dataclass(frozen=True)
class SSHTunnel:
    """The nested form of §6.5."""

    name: str = "ssh_tunnel"
    label: str = "Use SSH tunnel?"


Field = Input | Select | SwitchGroup | SSHTunnel


@dataclass(frozen=True)
class Spec:
    """Everything the wizard says of a kind of source. `targets` are the fields that say where it connects (§6.6.5)."""

    name: str
    fields: tuple[Field, ...] = ()
    label: str | None = None
    caption: str | None = None
    docs_url: str | None = None
    category: str | None = None
    permissions_caption: str | None = None
    featured: bool = False
    beta: bool | None = None
    unreleased: bool | None = None
    suggested_tables: tuple[tuple[str, str | None], ...] = ()
    targets: tuple[str, ...] = ("host",)
    extra: dict[str, Any] = field(default_factory=dict)


def describe(spec: Spec) -> dict[str, Any]:
    """The wizard's entry of a kind of source (§4.1): every key present, null or its default where there is no value."""
    return {
        "name": spec.name,
        "label": spec.label,
        "caption": spec.caption,
        "docsUrl": spec.docs_url,
        "iconPath": f"/static/services/{spec.name.lower()}.png",
        "iconClassName": None,
        "category": spec.category,
        "fields": [_describe_field(each) for each in spec.fields],
        "featured": spec.featured,
        "betaSource": spec.beta,
        "unreleasedSource": spec.unreleased,
        "existingSource": None,
        "disabledReason": None,
        "featureFlag": None,
        "permissionsCaption": spec.permissions_caption,
        "suggestedTables": [{"table": table, "tooltip": tooltip} for table, tooltip in spec.suggested_tables],
        **spec.extra,
    }


def _describe_field(each: Field) -> dict[str, Any]:
    """One field of a form (§4.2)."""
    common: dict[str, Any] = {"type": _type_name(each), "name": each.name, "label": each.label}
    if isinstance(each, Input):
        secret = each.secret or each.type == "password"
        shown = {"required": each.required, "placeholder": each.placeholder, "caption": each.caption, "secret": secret}
        return {**common, **shown}
    if isinstance(each, Select):
        chosen = {"required": each.required, "defaultValue": each.default, "converter": each.converter}
        return {**common, **chosen, "options": [_describe_option(option) for option in each.options]}
    if isinstance(each, SwitchGroup):
        inner = [_describe_field(field) for field in each.fields]
        return {**common, "default": each.default, "caption": each.caption, "fields": inner}
    return common


def _type_name(each: Field) -> str:
    if isinstance(each, Input):
        return each.type
    return {Select: "select", SwitchGroup: "switch-group", SSHTunnel: "ssh-tunnel"}[type(each)]


def _describe_option(option: Option) -> dict[str, Any]:
    fields = [_describe_field(each) for each in option.fields]
    return {"label": option.label, "value": option.value, **({"fields": fields} if fields else {})}
