"""The peers' environments: one folder each in the user's cache, made once for each list of requirements."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import progress

_HERE = Path(__file__).parent
_LONGEST = 1800


class PeerError(Exception):
    """A peer could not be installed or did not do its work; the text is for the table."""


def environment(peer: str) -> Path:
    """The folder of that peer's environment, made if need be. PeerError when that fails."""
    requirements = _HERE / f"{peer}.txt"
    told = requirements.read_bytes() + sys.version.encode()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hedgerow-benchmarks"
    folder = cache / f"{peer}-{hashlib.sha256(told).hexdigest()[:12]}"
    whole = folder / "whole"
    if not whole.exists():
        progress(f"installing {peer} into {folder}")
        for old in cache.glob(f"{peer}-*"):
            shutil.rmtree(old)
        cache.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin/python"), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--no-deps", "--require-hashes", "-r", str(requirements)])
        whole.touch()
    return folder


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"not installed within {_LONGEST} s") from error
    if done.returncode:
        raise PeerError(f"could not be installed: {last_words(done.stderr)}")


def last_words(text: str) -> str:
    """The last line that says something, short enough for a table."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].replace("|", "/")[:160] if lines else "no message"
