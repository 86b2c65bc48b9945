"""Sealing credentials at rest, a text type that never prints, and scrubbing secrets out of texts."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hedgerow.core.errors import AppError

MASK: Final = "***"
_SHORTEST: Final = 3  # scrubbing one- and two-letter "secrets" would eat ordinary text


class SealError(AppError):
    """The sealed text was made with another secret key, or was changed."""

    code = "sealed"
    hint = "Start the server with the secret key that it had, or enter the source's credentials again."


class Sealer:
    """Seals JSON objects with a key derived from the installation's secret key (HKDF-SHA256, then Fernet)."""

    def __init__(self, secret_key: str) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"hedgerow sealed settings").derive(
            secret_key.encode()
        )
        self._fernet = Fernet(urlsafe_b64encode(derived))

    def seal(self, value: dict[str, Any]) -> str:
        """The object as text that only this installation can open."""
        return self._fernet.encrypt(json.dumps(value).encode()).decode()

    def open(self, sealed: str) -> dict[str, Any]:
        """The object again; an empty text is an empty object. Raises SealError."""
        if not sealed:
            return {}
        try:
            opened = json.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken as error:
            raise SealError("The stored settings were sealed with another HEDGEROW_SECRET_KEY.") from error
        return dict(opened)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret value replaced by `***`, longest first."""
    for secret in sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
