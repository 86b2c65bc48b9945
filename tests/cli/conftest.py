"""Runs a command line inside this process, against the test database."""

import logging
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from hedgerow.cli.main import main
from tests.support.program import Command, Outcome

__all__ = ["Command", "Outcome"]


@pytest.fixture
def hedgerow(db: None) -> Iterator[Command]:
    """`hedgerow(*words)` inside this process, with the test database."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*words: object) -> Outcome:
        root.handlers[:] = []  # the command sets up the log of its process; pytest's handlers are kept aside
        result = CliRunner().invoke(main, [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
