"""`hedgerow serve|worker|migrate|doctor|backup|restore|demo`: what runs or looks after this installation."""

import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hedgerow.cli.installation import database_name, installation, migrated_installation, no_installation, settings
from hedgerow.cli.output import FAILED, doing, json_option, show
from hedgerow.core.config import Config
from hedgerow.core.text import human_bytes

if TYPE_CHECKING:
    from hedgerow.server.boot import FirstStart

RUNS_SECONDS: Final = 3.0
"""How long runs in progress may go on at shutdown; what is not done by then is taken up at the next start."""


@click.command()
@click.option("--host", help="Address to listen on instead of HEDGEROW_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on instead of HEDGEROW_PORT.")
@click.option("--no-worker", is_flag=True, help="Only answer requests; `hedgerow worker` runs the syncs.")
@json_option
def serve(host: str | None, port: int | None, no_worker: bool) -> None:
    """Start the server: the API, and the syncs unless told otherwise.

    Brings the database up to date first. The very first start makes an owner, a project and a key.
    """
    with installation() as given:
        config = replace(
            given,
            host=given.host if host is None else host,
            port=given.port if port is None else port,
        )
        with doing("The server did not start.", str(config.data_dir)):
            _serve(config, with_worker=not no_worker)


def _serve(config: Config, *, with_worker: bool) -> None:
    from hedgerow.server import boot
    from hedgerow.server.listen import Listener
    from hedgerow.server.wsgi import application
    from hedgerow.warehouse import background, engine

    with ExitStack() as until_the_end:
        until_the_end.enter_context(boot.only_one(config, "server"))
        if with_worker:
            until_the_end.enter_context(boot.only_one(config, "worker"))
        boot.migrate(config)
        first = boot.first_start(config)
        listener = Listener(application, config)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: listener.stop())
        until_the_end.callback(background.close)
        if with_worker:
            until_the_end.callback(_start_worker(config))
        _announce(listener.address, first)
        engine.warm()
        listener.run()


def _start_worker(config: Config) -> Callable[[], None]:
    from hedgerow.core.processes import warm_up
    from hedgerow.work.worker import WorkerLoop

    warm_up()
    loop = WorkerLoop(config)
    loop.start()
    return lambda: loop.stop(RUNS_SECONDS)


def _announce(address: str, first: "FirstStart | None") -> None:
    from hedgerow.cli.first_steps import welcome

    data = {"address": address, "first_start": vars(first) if first else None}
    show(data, (welcome(address, first) if first else "") + f"Ready on {address}")


@click.command()
@json_option
def worker() -> None:
    """Run only the syncs, without the API. Any number may share a PostgreSQL database."""
    with (
        installation() as config,
        doing("The worker did not start.", str(config.data_dir)),
        ExitStack() as until_the_end,
    ):
        from hedgerow.server import boot

        until_the_end.enter_context(boot.only_one(config, "worker"))
        boot.migrate(config)
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        until_the_end.callback(_start_worker(config))
        show({"worker": "ready"}, "Worker ready")
        stopped.wait()


@click.command()
@json_option
def migrate() -> None:
    """Bring the database up to date with this version of Hedgerow."""
    with installation() as config, doing("The database was not brought up to date.", database_name(config)):
        from hedgerow.server import boot

        applied = boot.migrate(config)
        show({"applied": applied}, "\n".join([f"Applied {name}" for name in applied]) or "The database is up to date.")


@click.command()
@json_option
def doctor() -> None:
    """Show every setting and where it came from, check what Hedgerow needs, and say what to do."""
    from hedgerow.cli.checkup.examine import examine

    report = examine()
    show(report.as_data(), report.as_text())
    if not report.healthy:
        raise click.exceptions.Exit(FAILED)


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@json_option
def backup(target: Path) -> None:
    """Copy the whole embedded installation to TARGET, a new folder or a .tar.gz, while it runs.

    `hedgerow restore` puts it back.
    """
    with migrated_installation() as config, doing("The backup was not made.", str(target)):
        from hedgerow.server.backup import back_up

        made = back_up(config, target)
        text = f"{made.tables} tables, {made.files} files, {human_bytes(made.size)} in {target}"
        show({"target": str(target), **vars(made)}, "\n".join([text, *made.notes]))


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), help="Folder to restore into instead of HEDGEROW_DATA_DIR.")
@json_option
def restore(archive: Path, to: Path | None) -> None:
    """Put a backup back into a new or empty folder, after looking through it."""
    folder = (to or settings(make=False).data_dir).expanduser().absolute()
    with no_installation() as config, doing("The backup was not restored.", str(folder)):
        from hedgerow.server import restore as server

        restored = server.restore(config, archive, folder)
        text = f"{restored.tables} tables and {restored.sources} sources of {restored.made_at} are in {folder}"
        start = f"Start with HEDGEROW_DATA_DIR={folder} hedgerow serve"
        show({"folder": str(folder), **vars(restored)}, "\n".join([text, *restored.notes, start]))


@click.command()
@click.option("--email", help="Whose current project gets the source; without it the first user's.")
@click.option("--wait", is_flag=True, help="Wait for the first sync, then query it.")
@json_option
def demo(email: str | None, wait: bool) -> None:
    """Connect the demo source: a made-up shop, without any credentials."""
    with migrated_installation(), doing("The demo source was not connected.", email or "the first user's project"):
        from hedgerow.cli import first_steps

        source = first_steps.connect_demo(email)
        if wait:
            first_steps.wait_for(source)
        show(*first_steps.result(source, with_rows=wait))
