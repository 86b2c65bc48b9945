"""Runs the command line as a real program, in a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as the JSON it holds."""
        return json.loads(self.out)


Command = Callable[..., Outcome]


@pytest.fixture
def program(tmp_path: Path) -> Command:
    """`program(*words, **settings)` as a real program whose data folder is `tmp_path / "data"`."""

    def run(*words: object, **settings: object) -> Outcome:
        given = {f"HEDGEROW_{name.upper()}": str(value) for name, value in settings.items()}
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEDGEROW_", "DJANGO_"))}
        done = subprocess.run(
            [sys.executable, "-m", "hedgerow.cli.main", *(str(word) for word in words)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment | {"HEDGEROW_DATA_DIR": str(tmp_path / "data")} | given,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
