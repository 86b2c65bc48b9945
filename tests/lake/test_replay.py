from pathlib import Path

import pytest
from deltalake import DeltaTable

from hedgerow.core.errors import BrokenError
from hedgerow.lake import maintain
from hedgerow.lake.replay import replay
from hedgerow.lake.storage import Storage
from tests.lake.tables import PEOPLE, PLACE, append, replace


def test_the_files_of_every_version_are_those_that_delta_rs_sees(storage: Storage) -> None:
    for fence in range(1, 8):
        append(storage, fence, PEOPLE)
    maintain.tidy(storage, PLACE, keep_hours=24)
    replace(storage, 9, PEOPLE)
    for fence in range(10, 16):
        append(storage, fence, PEOPLE)
    maintain.tidy(storage, PLACE, keep_hours=24)
    append(storage, 20, PEOPLE)
    newest = DeltaTable(storage.uri(PLACE)).version()
    assert list(Path(storage.path(PLACE), "_delta_log").glob("*.checkpoint.parquet"))
    for version in range(newest + 1):
        table = DeltaTable(storage.uri(PLACE), version=version)
        active = replay(storage, PLACE, version).active
        assert {Path(uri).name for uri in table.file_uris()} == set(active)
        assert sum(file.rows for file in active.values()) == table.count()


def test_dropped_files_are_known_with_the_time_of_their_end(storage: Storage) -> None:
    replace(storage, 1, PEOPLE)
    (first,) = replay(storage, PLACE, 0).active.values()
    replace(storage, 2, PEOPLE)
    ((moment, file),) = replay(storage, PLACE, 1).dropped
    assert (file.path, file.size) == (first.path, first.size)
    assert abs(moment / 1000 - Path(storage.path(PLACE), first.path).stat().st_mtime) < 60


def test_a_log_with_a_gap_is_refused_and_not_guessed_at(storage: Storage) -> None:
    for fence in (1, 2, 3):
        append(storage, fence, PEOPLE)
    Path(storage.path(PLACE), "_delta_log", f"{1:020}.json").unlink()
    with pytest.raises(BrokenError, match="has a gap before version 2"):
        replay(storage, PLACE, 2)
