"""A process of ours never outlives the server that it works for."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from hedgerow.core import processes

OWNER = """
from hedgerow.core import processes
from tests.core.test_processes import sleep
process = processes.forkserver_context().Process(target=sleep, daemon=True)
processes.start(process)
print(process.pid, process._parent_pid, flush=True)
process.join()
"""


def sleep() -> None:
    """What a process of ours does that would go on for long."""
    processes.die_with_parent()
    os.write(1, b"ready\n")
    time.sleep(120)


@pytest.mark.parametrize("victim", ["server", "helper"])
def test_it_dies_with_the_server_and_with_the_helper(victim: str) -> None:
    command = [sys.executable, "-c", OWNER]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "hedgerow.server.settings"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout is not None
        lines = {owner.stdout.readline().strip(), owner.stdout.readline().strip()}
        (pids,) = lines - {"ready"}
        ours = psutil.Process(int(pids.split()[0]))
        (owner if victim == "server" else ours.parents()[0]).kill()
        _, alive = psutil.wait_procs([ours], 10)
        owner.kill()
    assert not alive
