"""The command line: `hedgerow COMMAND`. Nothing heavy is imported before a command runs."""

from importlib.metadata import version
from typing import Any

import click

from hedgerow.cli.admin import admin
from hedgerow.cli.files import files
from hedgerow.cli.local import backup, demo, doctor, migrate, restore, serve, worker
from hedgerow.cli.output import CommandError, fail, json_option, wants_json


class Hedgerow(click.Group):
    """The outermost group: a CommandError in any command below is printed in its parts and becomes an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CommandError as failure:
            fail(failure, as_json=wants_json())


@click.group(cls=Hedgerow, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("hedgerow"), prog_name="hedgerow")
@json_option
def main() -> None:
    """Bring data from anywhere into open Delta Lake tables, and query them.

    Settings come from HEDGEROW_... variables; `hedgerow doctor` lists them all.

    Exit codes: 0 done, 1 failed, 2 wrong use or a setting that cannot be used.
    """


for _command in (serve, worker, migrate, doctor, backup, restore, demo, admin, files):
    main.add_command(_command)

if __name__ == "__main__":
    main()
