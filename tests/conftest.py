"""What every test may ask for. The environment is set before Django reads it: no test sees a real installation.

For that reason pyproject names no settings module to pytest-django, which would read it before this file.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

import django
import pytest

from tests.support.postgres import PostgresServer

_DATA = Path(tempfile.mkdtemp(prefix="hedgerow-tests-"))
atexit.register(shutil.rmtree, _DATA, ignore_errors=True)
if "HEDGEROW_SOAK" in os.environ:  # ours, not a setting of Hedgerow's; see tests/support/soak.py
    os.environ["SOAK"] = os.environ["HEDGEROW_SOAK"]
if os.environ.get("HEDGEROW_TEST_DATABASE") == "postgres":  # ours too; what must be the same on both databases
    _postgres = PostgresServer()
    _postgres.start()
    _login = f"{_postgres.user}:{quote(_postgres.password, safe='')}"
    # Workers of pytest-xdist find it here and share the server; each has a database of its own in it.
    os.environ["TEST_DATABASE_URL"] = f"postgresql://{_login}@{_postgres.host}:{_postgres.port}/hedgerow"
for _name in [n for n in os.environ if n.startswith("HEDGEROW_")]:
    del os.environ[_name]
os.environ["HEDGEROW_DATA_DIR"] = str(_DATA)
if "TEST_DATABASE_URL" in os.environ:
    os.environ["HEDGEROW_DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
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
    "tests.support.notes",
]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """The test database is the file that the settings name, so processes started by a test see it too."""
    from django.conf import settings

    if not settings.CONFIG.database_url:
        test = settings.DATABASES["default"].setdefault("TEST", {})
        test["NAME"] = str(settings.CONFIG.sqlite_path)
