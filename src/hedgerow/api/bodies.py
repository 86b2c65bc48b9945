"""Reading request bodies: JSON and both kinds of form (api_conventions.md §6, §14.15-17)."""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any, Final
from urllib.parse import parse_qsl

from django.http import HttpRequest, QueryDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles
from rest_framework.parsers import MultiPartParser as FrameworkMultiPartParser

from hedgerow.api.errors import BODY_LIMIT, TooLargeError

DEEPEST: Final = 200
_MOST_FIELDS: Final = 1000
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_SUSPECT: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\x00")


class UnstorableError(ParseError):
    """A text that no database can hold. `field` names the member of the body that it is in, if it is in one."""

    field: str | None = None

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class FormText(str):
    """A text out of a form body, where objects and lists can only be written as JSON text."""

    __slots__ = ()


def read(stream: IO[Any] | HttpRequest) -> bytes:
    """The whole body. Raises TooLargeError without reading more than the limit."""
    length = stream.META.get("CONTENT_LENGTH") if isinstance(stream, HttpRequest) else None
    if length and int(length) > BODY_LIMIT:
        raise TooLargeError
    raw: bytes = stream.read(BODY_LIMIT + 1)
    if len(raw) > BODY_LIMIT:
        raise TooLargeError
    return raw


def parse_json(raw: bytes) -> Any:
    """Strict JSON in UTF-8 (a byte-order mark is fine), at most 200 levels deep; nothing at all is `{}`.

    Raises ParseError, also for texts that no database can hold (NUL characters, lone surrogates).
    """
    try:
        text = raw.decode("utf-8-sig")
        if not text.strip():
            return {}
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"JSON parse error - {error}") from error
    if raw.count(b"[") + raw.count(b"{") > DEEPEST or _SUSPECT.search(raw):
        _check(value)
    return value


def parse_form(raw: bytes) -> dict[str, FormText]:
    """A URL-encoded form; of repeated fields the last. Raises ParseError."""
    try:
        fields = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise ParseError(f"Form parse error - {error}") from error
    return _form(dict(fields))


def plain(value: Any) -> Any:
    """A form's text that looks like a JSON object or list, as that; everything else unchanged."""
    if isinstance(value, FormText) and value.strip()[:1] in ("{", "["):
        try:
            return parse_json(value.encode())
        except ParseError:
            return value
    return value


class JSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return parse_json(read(stream))


class FormParser(BaseParser):
    media_type = "application/x-www-form-urlencoded"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return parse_form(read(stream))


class MultiPartParser(BaseParser):
    media_type = "multipart/form-data"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        if isinstance(stream, HttpRequest) and int(stream.META.get("CONTENT_LENGTH") or 0) > BODY_LIMIT:
            raise TooLargeError
        parsed: DataAndFiles[Any, Any] = FrameworkMultiPartParser().parse(
            stream, media_type, dict(parser_context or {})
        )
        for file in parsed.files.values():  # no route takes files
            file.close()
        data: QueryDict = parsed.data
        return _form(dict(data.items()))


def _form(fields: dict[str, Any]) -> dict[str, FormText]:
    for name, value in fields.items():
        if _UNSTORABLE.search(name) or _UNSTORABLE.search(value):
            known = None if _UNSTORABLE.search(name) else name
            raise UnstorableError("Form parse error - null characters are not allowed", known)
    return {name: FormText(value) for name, value in fields.items()}


def _refuse(word: str) -> Any:
    raise ValueError(f"Out of range float values are not JSON compliant: {word}")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        _refuse(digits)
    return number


def _check(value: Any) -> None:
    """Raises ParseError for too deep a value, or a text that cannot be stored. Not recursive: depth is the question."""
    left: list[tuple[Any, int, str | None]] = [(value, 1, None)]
    while left:
        item, depth, field = left.pop()
        if isinstance(item, str) and _UNSTORABLE.search(item):
            raise UnstorableError("JSON parse error - null characters and lone surrogates are not allowed", field)
        if isinstance(item, dict | list):
            if depth > DEEPEST:
                raise ParseError(f"JSON parse error - nested deeper than {DEEPEST} levels")
            if isinstance(item, dict):
                left.extend((name, depth + 1, field) for name in item)
                left.extend((each, depth + 1, name if depth == 1 else field) for name, each in item.items())
            else:
                left.extend((each, depth + 1, field) for each in item)
