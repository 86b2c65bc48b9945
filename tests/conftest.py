"""What every test may ask for. The environment is set before Django reads it."""

import os
import tempfile
from pathlib import Path

_DATA = Path(tempfile.mkdtemp(prefix="hedgerow-tests-"))
for _name in [n for n in os.environ if n.startswith("HEDGEROW_")]:
    del os.environ[_name]
os.environ["HEDGEROW_DATA_DIR"] = str(_DATA)

pytest_plugins = ["tests.support.fixtures_postgres"]
