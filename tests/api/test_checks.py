"""The order of checks, and who may pass."""

from tests.api.conftest import Caller, envelope


def test_a_member_reads_the_project(bob: Caller, base: str) -> None:
    answer = bob.get(base)
    assert answer.status_code == 200, answer.content
    assert answer.json()["name"] == "Shop"


def test_a_stranger_is_told_that_it_does_not_exist(charlie: Caller, base: str) -> None:
    assert envelope(charlie.get(base)) == (404, "not_found", "Project not found.", None)
