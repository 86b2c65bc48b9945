"""What is heavy or foreign is loaded only where it is used.

The server's process stays small and quick to start (its runs and queries are processes of their own), and a connector
can be listed without its driver being there.
"""

import subprocess
import sys

import pytest

DRIVERS = ("psycopg", "asyncssh", "duckdb", "deltalake", "pyarrow", "pymysql", "MySQLdb", "pymssql", "snowflake")

LOADED = """
import os, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    os.environ["HEDGEROW_DATA_DIR"] = folder
    {script}
    print(*sorted({names!r} & set(sys.modules)))
"""

BLOCKED = """
import importlib, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ImportError("blocked: " + name)

sys.meta_path.insert(0, Blocked())
from hedgerow.connectors import registry
for name in registry.names():
    registry.get(name)
print(len(list(registry.names())), len(registry.wizard()))
"""


def _output(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "script",
    [
        "from hedgerow.server import wsgi",
        "from hedgerow.server import boot; boot.start_django(); from hedgerow.work import worker",
    ],
)
def test_the_server_loads_no_engine(script: str) -> None:
    heavy = {"duckdb", "pyarrow", "deltalake", "sqlglot", "asyncssh", "numpy", "pandas"}

    assert _output(LOADED.format(script=script, names=heavy)) == ""


def test_connectors_are_listed_without_any_driver() -> None:
    here, offered = _output(BLOCKED.format(names=set(DRIVERS))).split()

    assert int(here) >= 2
    assert int(offered) >= int(here)
