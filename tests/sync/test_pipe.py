"""Reading and writing at once."""

import threading
import time
from collections.abc import Iterator

import pytest

from hedgerow.sync.pipe import ReadAhead


def test_everything_arrives_in_order() -> None:
    assert list(ReadAhead(iter(range(1000)), depth=3)) == list(range(1000))


def test_what_the_reader_raises_is_raised_after_what_it_read() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("cut")

    items = iter(ReadAhead(broken()))
    assert next(items) == 1
    with pytest.raises(OSError, match="cut"):
        next(items)


def test_the_reader_never_runs_further_ahead_than_its_depth() -> None:
    produced = []

    def source() -> Iterator[int]:
        for number in range(100):
            produced.append(number)
            yield number

    ahead = ReadAhead(source(), depth=2)
    time.sleep(0.1)
    assert len(produced) <= 4
    ahead.close()


def test_closing_ends_the_readers_thread() -> None:
    ahead = ReadAhead(iter(range(100)), depth=1)
    ahead.close()
    deadline = time.monotonic() + 5
    while any(t.name == "reader" and t.is_alive() for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(t.name == "reader" and t.is_alive() for t in threading.enumerate())
