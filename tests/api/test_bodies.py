"""Bodies: JSON strictly, forms kindly, and nothing that no database can hold."""

import json
from typing import Any

import pytest
from rest_framework.exceptions import ParseError

from hedgerow.api import bodies
from hedgerow.api.errors import BODY_LIMIT
from tests.api.conftest import Caller, envelope
from tests.support.people import People

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"", {}),
        (b"  \n", {}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        ('{"ü": "é"}'.encode(), {"ü": "é"}),
        (b'"\\ud83c\\udf33"', "🌳"),
        (b"[" * 200 + b"]" * 200, None),
        (b'"' + b"[" * 300 + b'"', "[" * 300),
        (b"1e10", 1e10),
    ],
)
def test_json_is_read(raw: bytes, value: Any) -> None:
    assert value is None or bodies.parse_json(raw) == value
    bodies.parse_json(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"NaN",
        b'{"a": Infinity}',
        b"-Infinity",
        b"1e999",
        b'{"a": 1} // comment',
        b"{'a': 1}",
        b'"\xff"',
        b'"\xe9"',
        b"[" * 201 + b"]" * 201,
        b"[" * 100_000,
        b'{"a":' * 201 + b"1" + b"}" * 201,
        b"9" * 5000,
        b'"\\u0000"',
        b'{"a": ["\\ud800"]}',
        b'{"\\udfff": 1}',
    ],
)
def test_everything_else_is_a_parse_error(raw: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        bodies.parse_json(raw)
    assert str(caught.value.detail).startswith("JSON parse error - ")


def test_a_form_is_texts_of_which_the_last_counts() -> None:
    assert bodies.parse_form(b"a=1&b=x+y%21&a=2&c=") == {"a": "2", "b": "x y!", "c": ""}


@pytest.mark.parametrize("raw", [b"a=%ff", b"\xff=1", b"a=%00", b"&".join([b"a=1"] * 1001)])
def test_a_broken_form_is_a_parse_error(raw: bytes) -> None:
    with pytest.raises(ParseError):
        bodies.parse_form(raw)


def test_only_a_forms_text_is_taken_for_json() -> None:
    assert bodies.plain(bodies.FormText('{"a": [1]}')) == {"a": [1]}
    assert bodies.plain(bodies.FormText("[draft")) == "[draft"
    assert bodies.plain('{"a": 1}') == '{"a": 1}'
    assert bodies.plain(bodies.FormText("12")) == "12"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"name": "Garden"}', "application/json"),
        ('{"name": "Garden"}', "application/json; charset=utf-8"),
        ("name=Garden", FORM),
        (
            '--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nGarden\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_all_three_kinds_of_body_work(alice: Caller, base: str, body: str, content_type: str) -> None:
    answer = alice.patch(base, body, content_type=content_type)
    assert answer.status_code == 200, answer.content
    assert answer.json()["name"] == "Garden"


def test_an_empty_body_changes_nothing(alice: Caller, base: str) -> None:
    before = alice.get(base).json()
    for body in (None, {}, {"unknown": 1, "id": 77}):
        answer = alice.patch(base, body)
        assert answer.status_code == 200
        assert answer.json() | {"updated_at": None} == before | {"updated_at": None}


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "3", "[[]]"])
def test_a_body_that_is_no_object_is_refused(alice: Caller, base: str, body: str) -> None:
    status, code, text, attr = envelope(alice.patch(base, body))
    assert (status, code, attr) == (400, "invalid_input", None)
    assert text.startswith("Invalid data. Expected a dictionary, but got ")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "text/json"])
def test_another_media_type_is_415(alice: Caller, base: str, content_type: str) -> None:
    answer = alice.patch(base, '{"name": "x"}', content_type=content_type)
    text = f'Unsupported media type "{content_type}" in request.'
    assert envelope(answer) == (415, "unsupported_media_type", text, None)
    assert answer.json()["type"] == "invalid_request"


def test_a_broken_multipart_body_is_a_parse_error(alice: Caller, base: str) -> None:
    answer = alice.patch(base, "nothing", content_type="multipart/form-data")
    assert envelope(answer)[:2] == (400, "parse_error")


def test_latin_1_never_becomes_garbage(people: People, alice: Caller, base: str) -> None:
    body = json.dumps({"name": "Gärten"}, ensure_ascii=False)
    answer = alice.patch(base, body.encode("latin-1"), content_type="application/json; charset=latin-1")
    assert envelope(answer)[:2] == (400, "parse_error")
    answer = alice.patch(base, body.encode(), content_type="application/json; charset=latin-1")
    assert answer.json()["name"] == "Gärten"


@pytest.mark.parametrize("content_type", ["application/json", FORM, "multipart/form-data; boundary=x"])
def test_a_body_over_20_mib_is_413(alice: Caller, base: str, content_type: str) -> None:
    answer = alice.patch(base, b"x" * (BODY_LIMIT + 1), content_type=content_type)
    text = "Request body exceeds the limit of 20971520 bytes."
    assert envelope(answer) == (413, "request_too_large", text, None)
    assert answer.json()["type"] == "invalid_request"


def test_a_large_body_within_the_limit_is_read(alice: Caller, base: str) -> None:
    body = json.dumps({"name": "x", "filler": "y" * (BODY_LIMIT - 100)})
    assert alice.patch(base, body).status_code == 200


def test_without_key_a_large_body_is_not_read(api: type[Caller], base: str) -> None:
    assert envelope(api().patch(base, b"x" * (BODY_LIMIT + 1)))[0] == 401
