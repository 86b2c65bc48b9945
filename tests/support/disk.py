"""A real file system of a few MiB, to be filled up or to turn read-only as a failing disk does."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

import pytest

_MIB: Final = 1024 * 1024
_BLOCK: Final = 4096


class SmallDisk:
    """An ext4 file system in a file, mounted at `folder`. Skips the test where mounting is not allowed."""

    def __init__(self, mib: int) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="hedgerow-disk-"))
        self.folder = self._home / "disk"
        self._image = self._home / "image"
        self._filler = self.folder / "filler"
        self._many = self.folder / "many"
        self._mib = mib

    def __enter__(self) -> Self:
        self.folder.mkdir()
        with self._image.open("wb") as image:
            image.truncate(self._mib * _MIB)
        # No blocks kept for root, who would otherwise not notice that the disk is full.
        _run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-N", "500", str(self._image))
        try:
            _run("mount", "-o", "loop", str(self._image), str(self.folder))
        except subprocess.CalledProcessError as error:
            shutil.rmtree(self._home)
            pytest.skip(f"no file system can be mounted here: {error.stderr.strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        _run("umount", "--lazy", str(self.folder))
        shutil.rmtree(self._home)

    @property
    def room(self) -> int:
        """Bytes that are free."""
        return shutil.disk_usage(self.folder).free

    def fill(self, leave: int = 0) -> None:
        """Leave about `leave` bytes free."""
        os.sync()  # what ext4 has promised room to, but not given it yet, must not come out of what is left
        with self._filler.open("ab") as filler, contextlib.suppress(OSError):
            size = 0
            while (room := (self.room - leave) // _BLOCK * _BLOCK) > 0:
                # The file's own map of blocks takes some too, so the last ones are taken one by one.
                step = room - _MIB if room > 2 * _MIB else _BLOCK
                os.posix_fallocate(filler.fileno(), size, step)
                size += step

    def fill_with_files(self, leave: int) -> None:
        """Leave room for so many new files and no more, however large: a disk is full of files, too, at some time."""
        self._many.mkdir()
        number = 0
        while os.statvfs(self.folder).f_favail > leave:
            (self._many / str(number)).touch()
            number += 1

    def clear(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)
        shutil.rmtree(self._many, ignore_errors=True)

    def remount(self, how: str) -> None:
        """`ro` or `rw`, as an administrator does; nobody may have files open for writing."""
        _run("mount", "-o", f"remount,{how}", str(self.folder))

    def fail(self) -> None:
        """What the kernel does with a disk that has errors: read-only at once, whoever has files open."""
        _run("mount", "-o", "remount,abort", str(self.folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
