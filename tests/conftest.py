"""What every test may ask for. The environment is set before Django reads it."""

import os
import tempfile
from pathlib import Path

import pytest

_DATA = Path(tempfile.mkdtemp(prefix="hedgerow-tests-"))
for _name in [n for n in os.environ if n.startswith("HEDGEROW_")]:
    del os.environ[_name]
os.environ["HEDGEROW_DATA_DIR"] = str(_DATA)

pytest_plugins = ["tests.support.fixtures_postgres", "tests.support.people"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """The test database is the file that the settings name, so processes started by a test see it too."""
    from django.conf import settings

    test = settings.DATABASES["default"].setdefault("TEST", {})
    test["NAME"] = str(settings.CONFIG.sqlite_path)
