"""One line per event on standard error, as text or JSON, with the ids it belongs to and no secrets.

Rooms log with `logging.getLogger(__name__)`. Whoever works on a request, a run or a source says so once with
`about(...)`; every line written inside carries the ids.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from hedgerow.core.config import Config
from hedgerow.core.secrets import MASK

_facts: ContextVar[dict[str, str] | None] = ContextVar("hedgerow_log_facts", default=None)

_WORDS: Final = r"(?:[\w-]*(?:password|passwd|passphrase|secret|token|api_?key|private_key)[\w-]*|authorization)"
# Each pattern keeps its first group and masks what follows it.
_SECRETS: Final = (
    re.compile(r"(\bphx_)[0-9A-Za-z]{8,}"),
    re.compile(r"(://[^\s:/@]*:)[^\s/]+(?=@)"),
    re.compile(r"(\b(?:bearer|basic)\s+)[^\s\"',;]+", re.IGNORECASE),
    re.compile(
        rf"(\b{_WORDS}[\"']?\s*[=:]\s*)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s,;&)}}\]]+)", re.IGNORECASE
    ),
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL),
)


def redact(text: str) -> str:
    """`text` with everything that looks like a key, a password or a login in an address masked."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Every line logged inside carries `ids` (for example `request=…`, `run=…`, `source=…`)."""
    token = _facts.set({**(_facts.get() or {}), **{name: str(value) for name, value in ids.items()}})
    try:
        yield
    finally:
        _facts.reset(token)


class _Line(logging.Formatter):
    """Puts a record on one line; a traceback goes in as one escaped text."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._json = as_json

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "where": record.name,
            "event": redact(record.getMessage()),
            **(_facts.get() or {}),
        }
        if record.exc_info:
            event["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(event, ensure_ascii=False) if self._json else self._text(event)

    @staticmethod
    def _text(event: dict[str, Any]) -> str:
        head = f"{event.pop('at')} {event.pop('level'):7} {event.pop('where')}: {event.pop('event')}"
        line = " ".join([head, *(f"{name}={value}" for name, value in event.items())])
        return line.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


def configure(config: Config) -> None:
    """Send this process's log to standard error as the settings say. Called once, by whoever starts a process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line(as_json=config.log_format == "json"))
    logging.basicConfig(level=config.log_level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # One line each for refused connections, full queues and answers of 4xx: nothing a person could act on.
    for chatty in ("waitress", "django.request"):
        logging.getLogger(chatty).setLevel(max(logging.ERROR, logging.getLogger().level))
