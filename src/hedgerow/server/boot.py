"""What has to be true before this process may serve or work: the lock, the database's tables, a first owner."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hedgerow.core.config import Config
from hedgerow.core.errors import ConflictError
from hedgerow.core.ids import random_base62

FIRST_OWNER: Final = "owner@example.com"
FIRST_PROJECT: Final = "My project"
_MIGRATION_LOCK: Final = 0x68656467  # any number that only Hedgerow uses as an advisory lock


def start_django() -> None:
    """Load Django with the settings of `core.config`; harmless when repeated. Raises ConfigError."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hedgerow.server.settings")
    import django

    django.setup()


@contextmanager
def only_one(config: Config, role: str) -> Iterator[None]:
    """Hold the data folder for this `role` (server, worker), where the database is embedded in it.

    The lock goes with the process, however it ends. Several servers and workers may share a PostgreSQL database,
    so nothing is locked there. Raises ConflictError when another process has the role.
    """
    if config.database_url:
        yield
        return
    with _locked_file(config.data_dir / f"{role}.lock", wait=False, role=role):
        yield


def holder(folder: Path, role: str) -> str | None:
    """The process that has the role in a data folder, as `only_one` would say; None: nobody. Touches no lock."""
    path = folder / f"{role}.lock"
    try:
        number = path.stat().st_ino
        locks = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    held = any(" FLOCK " in line and line.split()[-3].endswith(f":{number}") for line in locks)
    return (path.read_text().strip() or "unknown") if held else None


@contextmanager
def _locked_file(path: Path, *, wait: bool, role: str = "") -> Iterator[None]:
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ConflictError(
                f"Another {role} (process {file.read().strip() or 'unknown'}) is using the folder {path.parent}.",
                hint="Stop that process first, or give this one a folder of its own with HEDGEROW_DATA_DIR.",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def _alone_with_the_tables(config: Config) -> Iterator[None]:
    """Of several processes that start at once, one changes the database's tables and the others wait."""
    from django.db import connection

    if not config.database_url:
        with _locked_file(config.data_dir / "migrate.lock", wait=True):
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])


def pending_migrations() -> list[str]:
    """The migrations that the database lacks, in order; raises Django's OperationalError when it is unreachable."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def known_migrations() -> set[tuple[str, str]]:
    """(app, name) of every migration of this version."""
    from django.db.migrations.loader import MigrationLoader

    return set(MigrationLoader(None).disk_migrations)


def migrate(config: Config) -> list[str]:
    """Bring the database's tables up to date; returns the migrations that were applied."""
    from django.core.management import call_command

    with _alone_with_the_tables(config):
        pending = pending_migrations()
        if pending:
            call_command("migrate", interactive=False, verbosity=0)
    return pending


@dataclass(frozen=True)
class FirstStart:
    """What the first start made; `password` and `key` are known only now."""

    email: str
    password: str
    project_id: int
    key: str


def first_start(config: Config) -> FirstStart | None:
    """An owner, a project and a key, when there is no user at all yet."""
    from django.db import transaction

    from hedgerow.accounts import services
    from hedgerow.accounts.models import User

    with _alone_with_the_tables(config), transaction.atomic():
        if User.objects.exists():
            return None
        password = random_base62(20)
        owner = services.create_user(FIRST_OWNER, password)
        project = services.create_project(FIRST_PROJECT, owner, None)
        _, key = services.create_key(owner, "First key", ["*"], [])
    return FirstStart(FIRST_OWNER, password, project.id, key)
