"""What must be true before a process serves: the folder is its own, the database has its tables, somebody owns it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hedgerow.accounts.models import PersonalAPIKey, Project, User
from hedgerow.core.config import Config
from hedgerow.core.errors import ConflictError
from hedgerow.server import boot


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path)


HOLD = """
import sys
from pathlib import Path
from hedgerow.core.config import Config
from hedgerow.server.boot import only_one
with only_one(Config(data_dir=Path(sys.argv[1])), "server"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_who_was_first(config: Config) -> None:
    command = [sys.executable, "-c", HOLD, str(config.data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"

        with pytest.raises(ConflictError, match=rf"Another server \(process {first.pid}\) is using"):
            boot.only_one(config, "server").__enter__()
        first.kill()

    with boot.only_one(config, "server"):
        pass


def test_different_roles_do_not_meet(config: Config) -> None:
    with boot.only_one(config, "server"), boot.only_one(config, "worker"):
        pass


def test_a_shared_database_is_for_many(config: Config) -> None:
    shared = replace(config, database_url="postgresql://db/hedgerow")

    with boot.only_one(shared, "server"), boot.only_one(shared, "server"):
        pass


@pytest.mark.django_db
def test_the_first_start_makes_an_owner_a_project_and_a_key_that_fit_together(config: Config) -> None:
    made = boot.first_start(config)

    assert made is not None
    owner = User.objects.get()
    assert owner.email == made.email
    assert owner.check_password(made.password)
    assert owner.current_project_id == made.project_id == Project.objects.get().pk
    assert PersonalAPIKey.objects.get().user_id == owner.pk
    assert made.key.startswith("phx_")


@pytest.mark.django_db
def test_where_there_is_a_user_nothing_is_made(config: Config) -> None:
    boot.first_start(config)

    assert boot.first_start(config) is None
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_an_up_to_date_database_is_left_alone(config: Config) -> None:
    assert boot.pending_migrations() == []
    assert boot.migrate(config) == []
