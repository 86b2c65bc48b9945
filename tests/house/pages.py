"""The pages that are generated: `python -m tests.house.pages` writes them, test_docs compares them."""

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click

from hedgerow.cli.main import main
from hedgerow.core import config, errors
from tests.house import types_page

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "src" / "hedgerow"
_WRITTEN: Final = "<!-- Written by `make docs`. -->"
_ROOMS_START, _ROOMS_END = "<!-- rooms: written by `make docs` -->", "<!-- /rooms -->"


def settings_page() -> str:
    lines = [
        "# Settings",
        _WRITTEN,
        "",
        "Every setting is an environment variable and every one is optional. `hedgerow doctor` shows the values in use",
        "and where each came from. A secret may also be read from a file: name it in the variable with `_FILE` at the",
        "end (`HEDGEROW_DATABASE_URL_FILE=/run/secrets/database`). An unknown `HEDGEROW_` variable or a value that",
        "cannot be used stops the start with one plain line.",
        "",
        "Tables in `s3://…` use the standard AWS variables: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,",
        "`AWS_REGION`, and `AWS_ENDPOINT_URL` for any S3-compatible service.",
    ]
    for setting in config.settings():
        lines += ["", f"## {setting.variable}", "", setting.sentence, ""]
        lines += (
            [f"Allowed: {', '.join(f'`{choice}`' for choice in _choices(setting))}.  "] if _choices(setting) else []
        )
        lines += [f"Default: {_default(setting)}." + (" Secret: never printed." if setting.secret else "")]
    return "\n".join(lines) + "\n"


def _choices(setting: config.Setting) -> tuple[str, ...]:
    return ("on", "off") if isinstance(setting.default, bool) else setting.choices


def _default(setting: config.Setting) -> str:
    if isinstance(setting.default, bool):
        return "`on`" if setting.default else "`off`"
    return "empty" if setting.default == "" else f"`{setting.default}`"


def commands(group: click.Group = main, path: str = "hedgerow") -> Iterator[tuple[str, click.Command]]:
    """Every command as it is typed, in alphabetical order; groups too."""
    yield path, group
    for name in sorted(group.commands):
        command = group.commands[name]
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def commands_page() -> str:
    lines = [
        "# Commands",
        _WRITTEN,
        "",
        "`--json` may stand after any command: the answer is then one JSON object on standard output, a failure one on",
        "standard error. Exit codes: 0 done, 1 failed, 2 wrong use or a setting that cannot be used.",
    ]
    for path, command in commands():
        with click.Context(command, info_name=path, terminal_width=100, **main.context_settings) as context:
            lines += ["", f"## {path}", "", "```", command.get_help(context), "```"]
    return "\n".join(lines) + "\n"


def error_classes() -> list[type[errors.AppError]]:
    """Every class of error that a person can see, in the order of the module."""
    return [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.AppError) and value is not errors.AppError
    ]


def errors_page() -> str:
    lines = [
        "# Errors",
        _WRITTEN,
        "",
        "The kinds of failure, by what happens next. The same kind reads the same in the API, in a run and on the",
        "command line: what happened and why is the message of the moment; what to do is below unless the message",
        "says better. The API's envelope and codes are in the [API page](../openapi.yml).",
    ]
    for cls in error_classes():
        lines += ["", f"## {cls.code}", "", inspect.cleandoc(cls.__doc__ or ""), "", f"What to do: {cls.hint}"]
        parents = [parent for parent in cls.__mro__[1:] if parent in error_classes()]
        lines += ["", f"A kind of [{parents[0].code}](#{parents[0].code})."] if parents else []
    return "\n".join(lines) + "\n"


def rooms() -> str:
    """One line per room, from the docstrings of the rooms."""
    names = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    return "\n".join(f"- **`{name}`** {_first_words(PACKAGE / name / '__init__.py')}" for name in names)


def _first_words(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(docstring.split())


def architecture_page() -> str:
    """ARCHITECTURE.md as it is, with the list of rooms as it should be."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    before, rest = text.split(_ROOMS_START)
    after = rest.split(_ROOMS_END)[1]
    return f"{before}{_ROOMS_START}\n{rooms()}\n{_ROOMS_END}{after}"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/reference/settings.md": settings_page,
    "docs/reference/cli.md": commands_page,
    "docs/reference/errors.md": errors_page,
    "docs/reference/types-postgresql.md": types_page.page,
    "ARCHITECTURE.md": architecture_page,
}


def write() -> None:
    for name, page in PAGES.items():
        (ROOT / name).write_text(page())


if __name__ == "__main__":
    write()
