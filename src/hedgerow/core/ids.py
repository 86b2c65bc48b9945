"""Ids: time-ordered UUIDs, API key values, short ids."""

import os
import re
import secrets
import string
import time
import uuid

_BASE62 = string.digits + string.ascii_letters
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def uuid7() -> uuid.UUID:
    """A new RFC 9562 version 7 UUID: 48 bits of Unix milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def parse_uuid(text: object) -> uuid.UUID | None:
    """The UUID written in canonical form in either case, or None. Never raises."""
    return uuid.UUID(text) if isinstance(text, str) and _UUID.fullmatch(text) else None


def random_base62(length: int) -> str:
    """`length` random characters out of 0-9, a-z, A-Z, fit for secrets."""
    return "".join(secrets.choice(_BASE62) for _ in range(length))
