"""What `hedgerow doctor` looks at: every setting with its origin, and whether all that is needed is there."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

from hedgerow.cli.installation import database_name, installation
from hedgerow.cli.output import MISUSED, CommandError
from hedgerow.core.clock import now
from hedgerow.core.config import Config, settings
from hedgerow.core.text import human_bytes

OLDEST_PYTHON: Final = (3, 11)
LEAST_FREE: Final = 1024**3
STUCK_AFTER: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Shown:
    """One setting as shown; a secret's value is only `set` or `not set`."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `do` says what to do when it is not well."""

    name: str
    ok: bool
    found: str
    do: str = ""


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


def examine() -> Report:
    """Look at everything. A check that fails never keeps the others from being made."""
    checks = [_python()]
    try:
        with installation() as config:
            checks += [_folder(config), _disk(config), _storage(config)]
            checks += _database(config)
    except CommandError as failure:
        if failure.exit_code == MISUSED:
            raise
        checks.append(Check("database", ok=False, found=failure.why, do=failure.do))
    return Report(settings_of(config), checks)


def _python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    oldest = ".".join(str(part) for part in OLDEST_PYTHON)
    return Check("python", sys.version_info >= OLDEST_PYTHON, found, f"Install Python {oldest} or newer.")


def _folder(config: Config) -> Check:
    try:
        with tempfile.TemporaryFile(dir=config.data_dir):
            pass
    except OSError as error:
        return Check(
            "data folder", False, f"{config.data_dir}: {error.strerror}", "Give this user the right to write there."
        )
    return Check("data folder", True, f"{config.data_dir} can be written")


def _disk(config: Config) -> Check:
    free = shutil.disk_usage(config.data_dir).free
    return Check("free disk", free >= LEAST_FREE, human_bytes(free), f"Free at least {human_bytes(LEAST_FREE)}.")


def _storage(config: Config) -> Check:
    from hedgerow.core.errors import AppError
    from hedgerow.lake.storage import Storage

    try:
        Storage(config.storage).check()
    except AppError as error:
        return Check("storage", False, error.message, error.hint)
    return Check("storage", True, f"{config.storage} can be written")


def _database(config: Config) -> list[Check]:
    from hedgerow.server import boot

    name = database_name(config)
    pending = boot.pending_migrations()
    if pending:
        do = "Run `hedgerow migrate`, or start `hedgerow serve`, which does it."
        return [Check("database", False, f"{name} lacks {len(pending)} migration(s)", do)]
    return [Check("database", True, f"{name} is up to date"), _worker(), _queue()]


def _worker() -> Check:
    from hedgerow.work.queue import live_workers

    alive = live_workers()
    return Check("worker", alive > 0, f"{alive} alive", "Start `hedgerow serve` or `hedgerow worker`.")


def _queue() -> Check:
    from hedgerow.work.models import Task

    stuck = Task.objects.filter(holder=None, not_before__lt=now() - STUCK_AFTER).count()
    found = f"{stuck} task(s) have waited for more than {STUCK_AFTER.seconds // 60} minutes"
    return Check("queue", stuck == 0, found, "Look at the worker's log; raise HEDGEROW_WORKERS if it is only busy.")
