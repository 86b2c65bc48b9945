"""What a merge spills to disk goes with it, however it ends."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from hedgerow.lake.spill import SpillFolder

OWNER = """
from pathlib import Path
from hedgerow.lake.spill import SpillFolder
folder = SpillFolder()
Path(folder.path, "spilled").write_text("rows")
print(folder.path, flush=True)
input()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def an_hour_old(folder: Path) -> None:
    os.utime(folder, (time.time() - 3600,) * 2)


def test_a_folder_goes_when_it_is_closed(temporary: Path) -> None:
    folder = SpillFolder()
    Path(folder.path, "spilled").write_text("rows")
    folder.close()
    assert not list(temporary.iterdir())


def test_only_folders_of_killed_processes_are_taken_away(temporary: Path) -> None:
    command = [sys.executable, "-c", OWNER]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout is not None
        theirs = Path(owner.stdout.readline().strip())
        an_hour_old(theirs)
        SpillFolder().close()
        assert theirs.exists(), "its process lives"
        owner.kill()
    SpillFolder().close()
    assert not theirs.exists()


def test_a_folder_that_is_just_being_made_is_left_alone(temporary: Path) -> None:
    new = temporary / "hedgerow-merge-new"
    new.mkdir()
    SpillFolder().close()
    assert new.exists()
    an_hour_old(new)
    SpillFolder().close()
    assert not new.exists()
