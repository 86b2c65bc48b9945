"""A log line is one line, says what it belongs to, and holds no secret."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hedgerow.core import logs
from hedgerow.core.config import Config

log = logging.getLogger("hedgerow.test")


@contextmanager
def _writing(*, as_json: bool) -> Iterator[None]:
    """The log as a process of ours writes it; afterwards pytest's own handlers are back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    logs.configure(Config(log_format="json" if as_json else "text"))
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def _break(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("It broke")


def test_a_line_tells_time_level_place_and_event(capsys: pytest.CaptureFixture[str]) -> None:
    with _writing(as_json=True):
        log.warning("Waited %d s", 3)

    (line,) = _lines(capsys)
    event = json.loads(line)
    assert event["at"].endswith("Z")
    assert (event["level"], event["where"], event["event"]) == ("warning", "hedgerow.test", "Waited 3 s")


def test_ids_are_on_every_line_inside_and_on_none_after(capsys: pytest.CaptureFixture[str]) -> None:
    with _writing(as_json=True):
        with logs.about(source="s1"), logs.about(run="r1"):
            log.info("inside")
        log.info("after")

    inside, after = (json.loads(line) for line in _lines(capsys))
    assert (inside["source"], inside["run"]) == ("s1", "r1")
    assert "source" not in after
    assert "run" not in after


def test_text_lines_carry_the_ids_too(capsys: pytest.CaptureFixture[str]) -> None:
    with _writing(as_json=False), logs.about(request="q1"):
        log.info("hello")

    (line,) = _lines(capsys)
    assert line.endswith("info    hedgerow.test: hello request=q1")


def test_a_traceback_stays_on_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    with _writing(as_json=False):
        _break("first\nsecond")

    (line,) = _lines(capsys)
    assert r"ValueError: first\nsecond" in line


def test_secrets_in_a_traceback_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    with _writing(as_json=True):
        _break("cannot connect with password=hunter2")

    (line,) = _lines(capsys)
    assert "hunter2" not in line


def test_quieter_levels_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    with _writing(as_json=False):
        log.debug("whisper")

    assert _lines(capsys) == []


@pytest.mark.parametrize(
    "text",
    [
        "key phx_hunter2HUNTER2hunter2 was used",
        "GET /api/x/?personal_api_key=phx_hunter2HUNTER2&limit=1",
        "password=hunter2 host=db",
        "{'password': 'hunter2 hunter2', 'host': 'db'}",
        '{"ssh_passphrase": "hun\\"ter2 hunter2", "host": "db"}',
        "PASSWORD: hunter2, host: db",
        "cannot reach postgresql://me:hunter2@db/shop",
        "cannot reach postgresql://me:hunter2@x@db/shop",
        "Authorization: Bearer hunter2",
        "aws_secret_access_key=hunter2",
        "client_secret = hunter2;",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    redacted = logs.redact(text)

    assert "unter2" not in redacted
    assert "x@db" not in redacted
    assert "***" in redacted


@pytest.mark.parametrize(
    "text",
    [
        "Table customers of source 12 has 5 rows",
        "password authentication failed for user me",
        "The tokens of the query were read",
        "see https://example.com/a@b",
        "host=db port=5432",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert logs.redact(text) == text


def test_warnings_become_log_lines() -> None:
    """In a process of its own: here warnings are errors."""
    script = (
        "import warnings\n"
        "from hedgerow.core import config, logs\n"
        "logs.configure(config.Config(log_format='json'))\n"
        "warnings.warn('old')\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    (line,) = done.stderr.splitlines()
    assert json.loads(line)["level"] == "warning"
