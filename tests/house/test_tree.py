"""What no file of the repository may hold."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.house.pages import ROOT

# Written in parts, so that this file does not hold them either.
HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("ghcr", "io"),
    )
)
SECRETS = re.compile(r"phx_[0-9A-Za-z]{40,}|AKIA[0-9A-Z]{16}|BEGIN [A-Z ]*PRIVATE KEY-----\n[\w+/=]{20}")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:  # an unpacked archive has no history; then everything that is there counts
        return [p for p in ROOT.rglob("*") if p.is_file() and not {".venv", ".git"} & set(p.relative_to(ROOT).parts)]
    return [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name and (ROOT / name.decode()).is_file()]


@pytest.mark.parametrize("host", HOSTS)
def test_no_file_names_a_package_registry(host: str) -> None:
    assert [path for path in _tracked() if host.encode() in path.read_bytes()] == []


def test_no_file_holds_a_secret() -> None:
    assert [path for path in _tracked() if SECRETS.search(path.read_text(errors="replace"))] == []


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()

    assert text.lstrip().startswith("Apache License\n")
    assert "END OF TERMS AND CONDITIONS" in text


def test_what_continuous_integration_runs_may_be_run() -> None:
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    assert (ROOT / ".ci/find-python").stat().st_mode & 0o111
