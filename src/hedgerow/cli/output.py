"""What every command prints: text for people, JSON for scripts with `--json`, errors in their five parts."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final, NoReturn, TypeVar

import click

from hedgerow.core.errors import AppError

F = TypeVar("F", bound=Callable[..., Any])

FAILED: Final = 1
MISUSED: Final = 2
_ERRORS_PAGE: Final = "docs/reference/errors.md"


@dataclass
class CommandError(Exception):
    """The command did not do what it was asked to. Every part is for the person who typed it."""

    what: str
    which: str = ""
    why: str = ""
    do: str = ""
    more: str = ""
    exit_code: int = FAILED


@contextmanager
def doing(what: str, which: str) -> Iterator[None]:
    """Inside, an AppError becomes a CommandError that says `what` was not done to `which`."""
    try:
        yield
    except AppError as error:
        raise CommandError(what, which, error.message, error.hint, f"{_ERRORS_PAGE}#{type(error).code}") from error


def json_option(command: F) -> F:
    """`--json`, allowed after every command and every group."""

    def remember(context: click.Context, _: click.Parameter, given: bool) -> None:
        if given:
            context.find_root().obj = {"json": True}

    return click.option("--json", is_flag=True, expose_value=False, callback=remember, help="Print JSON, for scripts.")(
        command
    )


def wants_json() -> bool:
    """Whether this command line holds `--json`."""
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().obj)


def show(data: Any, text: str) -> None:
    """`data` as one JSON object with `--json`, else `text`; on standard output."""
    click.echo(json.dumps(data, ensure_ascii=False) if wants_json() else text)


def fail(failure: CommandError, *, as_json: bool) -> NoReturn:
    """Print the failure on standard error and leave with its exit code."""
    if as_json:
        parts = {name: value for name, value in asdict(failure).items() if name != "exit_code"}
        click.echo(json.dumps({"error": parts}, ensure_ascii=False), err=True)
    else:
        labels = (("To", failure.which), ("Why", failure.why), ("Do", failure.do), ("More", failure.more))
        lines = [f"  {label + ':':5} {value}" for label, value in labels if value]
        click.echo("\n".join([f"Error: {failure.what}", *lines]), err=True)
    sys.exit(failure.exit_code)
