"""What a PostgreSQL needs for searching, told in plain words when it cannot be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.postgres import PostgresDatabase


@pytest.mark.journey
def test_a_user_who_may_not_create_extensions_is_told_what_to_do(pg_database: PostgresDatabase, tmp_path: Path) -> None:
    name = pg_database.name
    pg_database.execute(f"create role {name} login password 'x'; grant all on schema public to {name}")
    server = pg_database.server
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEDGEROW_", "DJANGO_"))}
    environment["HEDGEROW_DATA_DIR"] = str(tmp_path)
    environment["HEDGEROW_DATABASE_URL"] = f"postgresql://{name}:x@{server.host}:{server.port}/{name}"
    command = [sys.executable, "-m", "hedgerow.cli.main", "migrate"]

    def migrate() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    try:
        refused = migrate()
        assert refused.returncode == 1
        assert "Error: The database was not brought up to date." in refused.stderr
        assert "permission denied to create extension" in refused.stderr
        assert "CREATE EXTENSION pg_trgm" in refused.stderr

        pg_database.execute("create extension pg_trgm; create extension btree_gin")
        assert migrate().returncode == 0
        indexes = {row[0] for row in pg_database.execute("select indexname from pg_indexes")}
        assert {"files_entry_words", "files_entry_folder"} <= indexes
    finally:
        pg_database.execute(f"drop owned by {name} cascade; drop role {name}")
