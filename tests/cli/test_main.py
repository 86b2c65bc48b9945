"""The command line as a whole: quick to answer, plain about mistakes."""

import json
import subprocess
import sys

import pytest

from hedgerow.cli.main import main
from tests.cli.conftest import Command
from tests.house.pages import commands


def test_asking_for_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from hedgerow.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "heavy = {'django', 'pyarrow', 'deltalake', 'duckdb', 'cryptography', 'waitress'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_the_commands_of_the_house_are_there() -> None:
    assert [path for path, _ in commands()] == [
        "hedgerow",
        "hedgerow admin",
        "hedgerow admin add-member",
        "hedgerow admin create-key",
        "hedgerow admin create-project",
        "hedgerow admin create-user",
        "hedgerow backup",
        "hedgerow demo",
        "hedgerow doctor",
        "hedgerow files",
        "hedgerow files find",
        "hedgerow files ln",
        "hedgerow files ls",
        "hedgerow files mkdir",
        "hedgerow files mv",
        "hedgerow files rm",
        "hedgerow migrate",
        "hedgerow restore",
        "hedgerow serve",
        "hedgerow worker",
    ]


def test_every_command_speaks_json_and_every_option_is_explained() -> None:
    for path, command in commands():
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        assert "json" in [option.name for option in options], path
        assert all(getattr(option, "help", None) for option in options), path
        assert command.help, path


@pytest.mark.parametrize("words", [("fly",), ("serve", "--wings"), ("serve", "--port", "99999"), ("backup",)])
def test_a_wrong_use_is_exit_code_2(hedgerow: Command, words: tuple[str, ...]) -> None:
    refused = hedgerow(*words)

    assert refused.code == 2
    assert "Usage:" in refused.err


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "doctor", "demo"])
def test_a_setting_that_cannot_be_used_is_one_plain_message(program: Command, command: str) -> None:
    refused = program(command, egress="everywhere")

    assert refused.code == 2
    assert "HEDGEROW_EGRESS='everywhere': allowed are private, public." in refused.err
    assert "Traceback" not in refused.err
    assert refused.out == ""


def test_it_is_json_too_where_json_was_asked_for(program: Command) -> None:
    refused = program("migrate", "--json", colour="red")

    assert "HEDGEROW_COLOUR is not a setting" in json.loads(refused.err)["error"]["why"]


def test_a_database_that_cannot_be_reached_is_named_without_its_password(program: Command) -> None:
    refused = program("migrate", database_url="postgresql://me:hunter2@127.0.0.1:9/shop")

    assert refused.code == 1
    assert "Error: The database cannot be used." in refused.err
    assert "PostgreSQL 127.0.0.1/shop" in refused.err
    assert "hunter2" not in refused.err
    assert "Traceback" not in refused.err


def test_the_version_is_the_package_s() -> None:
    from importlib.metadata import version

    assert main.params[0].name == "version"
    done = subprocess.run(
        [sys.executable, "-m", "hedgerow.cli.main", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"hedgerow, version {version('hedgerow')}"
