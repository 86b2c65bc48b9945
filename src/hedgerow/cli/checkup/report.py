"""What was found: settings and checks, as text for people and as data for scripts."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from hedgerow.core.config import Config, settings

_SHOWN_DETAILS: Final = 10


@dataclass(frozen=True)
class Shown:
    """One setting as shown; a secret's value is only `set` or `not set`."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `details` name what it is about, `do` says what to do when it is not well."""

    name: str
    ok: bool
    found: str
    do: str = ""
    details: Sequence[str] = field(default_factory=tuple)


def judged(name: str, faults: Sequence[str], *, well: str, wrong: str, do: str) -> Check:
    """A check that is well when there are no faults. `wrong` is said with their number before it."""
    if not faults:
        return Check(name, True, well)
    return Check(name, False, f"{len(faults)} {wrong}", do, tuple(faults))


@dataclass(frozen=True)
class Report:
    settings: list[Shown]
    checks: list[Check]

    @property
    def healthy(self) -> bool:
        return all(check.ok for check in self.checks)

    def as_data(self) -> dict[str, Any]:
        return {
            "ok": self.healthy,
            "settings": [asdict(setting) for setting in self.settings],
            "checks": [asdict(check) for check in self.checks],
        }

    def as_text(self) -> str:
        return "\n".join([*self._setting_lines(), "", *self._check_lines()])

    def _setting_lines(self) -> Iterator[str]:
        yield "Settings"
        name_width = max(len(s.name) for s in self.settings)
        value_width = max(len(s.value) for s in self.settings)
        for setting in self.settings:
            yield f"  {setting.name:{name_width}}  {setting.value:{value_width}}  {setting.origin}".rstrip()

    def _check_lines(self) -> Iterator[str]:
        yield "Checks"
        for check in self.checks:
            yield f"  {'ok   ' if check.ok else 'WRONG'}  {check.name}: {check.found}"
            yield from (f"         - {detail}" for detail in check.details[:_SHOWN_DETAILS])
            if len(check.details) > _SHOWN_DETAILS:
                yield f"         - and {len(check.details) - _SHOWN_DETAILS} more (--json lists all)"
            if not check.ok:
                yield f"         Do: {check.do}"


def settings_of(config: Config) -> list[Shown]:
    """Every setting in use, in the order of `core.config`."""
    shown = []
    for setting in settings():
        value = getattr(config, setting.name)
        text = ("set" if value else "not set") if setting.secret else _as_written(value)
        shown.append(Shown(setting.variable, text, config.origin.get(setting.name, "default")))
    return shown


def _as_written(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
