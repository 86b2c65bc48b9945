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
