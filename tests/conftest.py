"""What every test may ask for. The environment is set before Django reads it: no test sees a real installation.

For that reason pyproject names no settings module to pytest-django, which would read it before this file.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import django
import pytest

_DATA = Path(tempfile.mkdtemp(prefix="hedgerow-tests-"))
atexit.register(shutil.rmtree, _DATA, ignore_errors=True)
if "HEDGEROW_SOAK" in os.environ:  # ours, not a setting of Hedgerow's; see tests/support/soak.py
    os.environ["SOAK"] = os.environ["HEDGEROW_SOAK"]
for _name in [n for n in os.environ if n.startswith("HEDGEROW_")]:
    del os.environ[_name]
os.environ["HEDGEROW_DATA_DIR"] = str(_DATA)
os.environ["DJANGO_SETTINGS_MODULE"] = "hedgerow.server.settings"
django.setup()
# Workers of pytest-xdist inherit the environment; with this in it, pytest-django would read the settings too early.
del os.environ["DJANGO_SETTINGS_MODULE"]

pytest_plugins = [
    "tests.support.fixtures_postgres",
    "tests.support.fixtures_s3",
    "tests.support.people",
    "tests.support.program",
    "tests.support.fake_connector",
]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """The test database is the file that the settings name, so processes started by a test see it too."""
    from django.conf import settings

    test = settings.DATABASES["default"].setdefault("TEST", {})
    test["NAME"] = str(settings.CONFIG.sqlite_path)
