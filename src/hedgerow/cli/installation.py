"""Opens the installation a command works on: settings, log, Django, and its failures in plain words."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlparse

from hedgerow.cli.output import MISUSED, CommandError
from hedgerow.core.config import Config, ConfigError, load


def settings(*, make: bool = True) -> Config:
    """The settings. A bad one is a CommandError with exit code 2. `make` as for `core.config.load`."""
    try:
        return load(make=make)
    except ConfigError as error:
        raise CommandError(
            "A setting cannot be used.",
            why=str(error),
            do="Correct the variable; `hedgerow doctor` lists all settings.",
            more="docs/reference/settings.md",
            exit_code=MISUSED,
        ) from error


def database_name(config: Config) -> str:
    """The database as a person knows it, without its password."""
    url = urlparse(config.database_url)
    return f"PostgreSQL {url.hostname}{url.path}" if config.database_url else str(config.sqlite_path)


@contextmanager
def installation() -> Iterator[Config]:
    """Django is loaded inside; a database or a folder that cannot be reached or used becomes a CommandError."""
    from hedgerow.core import disk, logs

    config = settings()
    logs.configure(config)
    from hedgerow.server import boot

    boot.start_django()
    from django.db import OperationalError, ProgrammingError

    try:
        yield config
    except (OperationalError, ProgrammingError, OSError) as error:
        fault = disk.explain(error, "data folder")
        if fault is not None:
            raise CommandError(
                "The data folder cannot be used.",
                which=str(config.data_dir),
                why=fault.message,
                do=fault.hint,
                more="docs/guides/when-things-break.md",
            ) from error
        if isinstance(error, OSError):
            raise
        raise CommandError(
            "The database cannot be used.",
            which=database_name(config),
            why=logs.redact(str(error).strip().splitlines()[0]),
            do="Check that it is up and that HEDGEROW_DATABASE_URL is right; `hedgerow doctor` tells more.",
            more="docs/reference/settings.md#hedgerow_database_url",
        ) from error


@contextmanager
def no_installation() -> Iterator[Config]:
    """Django is loaded inside without an installation: with settings as they are, but for an empty data folder."""
    before = os.environ.get("HEDGEROW_DATA_DIR")
    with tempfile.TemporaryDirectory(prefix="hedgerow-") as nowhere:
        os.environ["HEDGEROW_DATA_DIR"] = nowhere
        try:
            with installation() as config:
                yield config
        finally:
            del os.environ["HEDGEROW_DATA_DIR"]
            os.environ |= {} if before is None else {"HEDGEROW_DATA_DIR": before}


@contextmanager
def migrated_installation() -> Iterator[Config]:
    """The same for commands that read or write it: a fresh database gets its tables, an old one is refused."""
    with installation() as config:
        from django.db import connection

        from hedgerow.server import boot

        if not connection.introspection.table_names():
            boot.migrate(config)
        if pending := boot.pending_migrations():
            raise CommandError(
                "The database is older than this version of Hedgerow.",
                which=database_name(config),
                why=f"{len(pending)} migration(s) have not been applied.",
                do="Run `hedgerow migrate`, or start `hedgerow serve`, which does it.",
            )
        yield config
