"""The order of the checks. One that fails never keeps the others from being made."""

from collections.abc import Callable, Iterator

from hedgerow.cli.checkup import database, machine, sources, tables
from hedgerow.cli.checkup.report import Check, Report, settings_of
from hedgerow.cli.installation import installation, settings
from hedgerow.cli.output import MISUSED, CommandError
from hedgerow.core import disk
from hedgerow.core.config import Config


def examine() -> Report:
    """Look at everything."""
    checks = [machine.python()]
    seen = settings(make=False)
    if not seen.data_dir.is_dir() or not seen.secret_key:
        return Report(settings_of(seen), [*checks, machine.nothing_there(seen)])
    try:
        with installation() as config:
            checks += [machine.folder(config), machine.files(config), machine.free(config), machine.storage(config)]
            checks += _database(config)
    except CommandError as failure:
        if failure.exit_code == MISUSED:
            raise
        checks.append(Check("database", ok=False, found=failure.why, do=failure.do))
    return Report(settings_of(config), checks)


def _database(config: Config) -> Iterator[Check]:
    """What can only be asked of a database that is there and up to date."""
    if not config.database_url and not config.sqlite_path.exists():
        yield Check(
            "database",
            False,
            f"there is none yet at {config.sqlite_path}",
            "Start `hedgerow serve`, or run `hedgerow migrate`. If there was one, restore a backup.",
        )
        return
    migrated = database.migrations(config)
    yield migrated
    if not migrated.ok:
        return
    yield database.holders(config)
    yield from (database.worker(), database.leases(), database.runs(), database.queue(), database.clock(config))
    yield from (sources.secret_key(), sources.switched_off())
    yield from _or_why_not("tables", lambda: tables.checks(config))


def _or_why_not(name: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The checks; one more in the place of those that the storage did not let us make."""
    from hedgerow.core.errors import AppError

    try:
        yield from checks()
    except AppError as error:
        fault = disk.explain(error)
        yield Check(name, False, fault.message if fault else error.message, fault.hint if fault else error.hint)
