from pathlib import Path

import pytest

from hedgerow.lake.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """An empty local storage."""
    return Storage(str(tmp_path / "tables"))
