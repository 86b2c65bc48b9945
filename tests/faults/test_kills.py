"""kill -9 of whatever, at any moment: copies still equal the source, and nothing is left behind."""

import random
import time

import pytest

from tests.faults import victims
from tests.faults.moments import MOMENTS, kill_at
from tests.faults.rig import Rig
from tests.faults.victims import Victim
from tests.support import soak

pytestmark = [pytest.mark.journey, pytest.mark.soak]
SOURCE_TEXTS = (
    "The connection to the database was lost",
    "terminating connection",
    "Could not connect",
    "Your database",
)
"""How the error of a run may begin when the source died again and again."""


@pytest.mark.parametrize("seed", range(soak.times(1)))
def test_whatever_dies_the_copies_equal_the_source(seed: int, rig: Rig) -> None:
    rig.world.rng = rng = random.Random(seed)
    rig.check_copies()
    for victim in rng.sample(victims.EMBEDDED, k=len(victims.EMBEDDED)):
        a_round(rig, rng, victim)
    rig.check_tidy()


def a_round(rig: Rig, rng: random.Random, victim: Victim) -> None:
    """Change the source, start runs, kill, and look at what came of it, at once and after one more run."""
    for _ in range(10):
        rig.world.change()
        rig.reload()
        rig.server.until(rig.children, every=0.01)
        time.sleep(rng.uniform(0, 1))
        rig.world.more()
        if victim(rig, rng):
            break
        rig.quiet()
    else:
        raise AssertionError(f"never met a {victim.__name__}")
    rig.quiet()
    rig.check_ended()
    for job in rig.jobs():
        assert job.status == "Completed" or job.error.startswith(SOURCE_TEXTS), job.error
    rig.reload()
    rig.quiet()
    rig.check_ended()
    rig.check_copies()


@pytest.mark.parametrize("seed", range(soak.times(1)))
def test_a_run_killed_at_a_chosen_moment_leaves_no_trace(seed: int, rig: Rig) -> None:
    rig.world.rng = rng = random.Random(seed)
    for moment, (table, sign) in rng.sample(sorted(MOMENTS.items()), k=len(MOMENTS)):
        for _ in range(12):  # small files and versions must gather before they are joined and checkpointed
            rig.world.change(table)
            killed = kill_at(rig, table, sign)
            unheard = any(job.status == "Running" for job in rig.jobs())
            rig.quiet()
            rig.check_ended()
            if killed and (unheard or "commit" not in moment):
                break
        else:
            raise AssertionError(f"no run was caught {moment}")
        assert {job.status for job in rig.jobs()} == {"Completed"}
        rig.reload(table)
        rig.quiet()
        rig.check_copies([table])
    rig.check_tidy()
