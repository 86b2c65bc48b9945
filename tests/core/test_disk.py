"""A disk's failure is known for what it is, whichever library meets it."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from deltalake.exceptions import DeltaError

from hedgerow.core import disk
from hedgerow.core.errors import BrokenError, DiskError, SourceQueryError


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "The disk of the tables is full."),
        (errno.EDQUOT, "The disk of the tables is full."),
        (errno.EROFS, "The disk of the tables is read-only."),
        (errno.EACCES, "The server's user may not write to the tables."),
        (errno.EIO, "The disk of the tables does not work: reading or writing it failed."),
    ],
)
def test_the_system_s_number_tells_what_it_is(number: int, text: str) -> None:
    found = disk.explain(OSError(number, os.strerror(number)))

    assert found is not None
    assert found.message == text
    assert found.hint.endswith(".")


def _full() -> sqlite3.Error:
    with sqlite3.connect(":memory:") as database:
        database.execute("pragma max_page_count = 2")
        database.execute("create table t (x)")
        with pytest.raises(sqlite3.OperationalError) as caught:
            database.execute("insert into t values (zeroblob(100000))")
    database.close()
    return caught.value


def _unopened(tmp_path: Path) -> sqlite3.Error:
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(tmp_path / "nowhere" / "x.sqlite3")
    return caught.value


def test_sqlite_s_own_errors_name_the_database(tmp_path: Path) -> None:
    full, unopened = disk.explain(_full()), disk.explain(_unopened(tmp_path))

    assert full is not None
    assert full.message == "The disk of the database is full."
    assert unopened is not None
    assert unopened.message == "The file of the database cannot be opened or made."


@pytest.mark.parametrize("kind", [OSError, DeltaError])
def test_what_delta_rs_says_in_words_is_understood(kind: type[Exception]) -> None:
    for text in ("Unable to open file x\n No space left on device (os error 28)", 'Error: Os { code: 28, kind: "x" }'):
        found = disk.explain(kind(text))
        assert found is not None
        assert found.message == "The disk of the tables is full."


def test_a_cause_further_down_is_found() -> None:
    error = BrokenError("The commit failed")
    error.__cause__ = RuntimeError("in between")
    error.__cause__.__cause__ = OSError(errno.ENOSPC, "No space left on device")

    assert isinstance(disk.explain(error), DiskError)


def test_a_full_disk_of_the_source_is_the_source_s_complaint() -> None:
    error = SourceQueryError("could not extend file: No space left on device")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")

    assert disk.explain(error) is None


@pytest.mark.parametrize(
    "error", [ValueError("No space left on device"), OSError(errno.ECONNRESET, "reset"), OSError("odd"), KeyError("x")]
)
def test_what_is_no_disk_is_not_taken_for_one(error: Exception) -> None:
    assert disk.explain(error) is None
