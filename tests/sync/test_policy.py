"""What an error does to a run."""

import pytest

from hedgerow.core.errors import (
    BadDataError,
    BrokenError,
    CredentialsError,
    DiskError,
    ForbiddenError,
    InterruptedReadError,
    KeyRequiredError,
    MissingError,
    OutsideError,
    RateLimitedError,
    SourceQueryError,
    UnreachableError,
)
from hedgerow.core.secrets import SealError
from hedgerow.sync.policy import PATIENCE_SECONDS, UNEXPECTED, Fail, Retry, after_crash, decide


def decision(error: Exception, **changes: object) -> Retry | Fail:
    facts = {"sync_type": "full_refresh", "attempt": 1, "waited": 0.0, "unreachable_before": 0, **changes}
    return decide(error, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [CredentialsError, ForbiddenError, MissingError, KeyRequiredError, BadDataError])
def test_what_a_person_must_mend_fails_at_once_and_switches_the_table_off(kind: type[OutsideError]) -> None:
    outcome = decision(kind("no"))
    assert isinstance(outcome, Fail)
    assert outcome.switch_off


@pytest.mark.parametrize("kind", [InterruptedReadError, RateLimitedError, UnreachableError])
def test_what_time_will_mend_is_tried_again_with_growing_delay(kind: type[OutsideError]) -> None:
    first, second = decision(kind("x")), decision(kind("x"), attempt=2, waited=1.0)
    assert isinstance(first, Retry)
    assert isinstance(second, Retry)
    assert second.delay > first.delay


@pytest.mark.parametrize(("sync_type", "attempts"), [("full_refresh", 3), ("incremental", 9), ("append", 9)])
def test_retries_end_after_so_many_attempts(sync_type: str, attempts: int) -> None:
    error = InterruptedReadError("cut")
    assert isinstance(decision(error, sync_type=sync_type, attempt=attempts - 1), Retry)
    assert isinstance(decision(error, sync_type=sync_type, attempt=attempts), Fail)


def test_all_retries_of_a_run_together_wait_at_most_a_minute() -> None:
    waited, attempt = 0.0, 1
    while isinstance(
        outcome := decision(InterruptedReadError("cut"), sync_type="append", attempt=attempt, waited=waited), Retry
    ):
        waited, attempt = waited + outcome.delay, attempt + 1
    assert waited <= PATIENCE_SECONDS
    assert attempt > 3


def test_a_rate_limit_is_waited_for_as_told_but_not_for_ever() -> None:
    assert decision(RateLimitedError("slow", retry_after=20)) == Retry(20)
    assert isinstance(decision(RateLimitedError("slow", retry_after=600)), Fail)


def test_only_the_third_unreachable_run_in_a_row_switches_off() -> None:
    worn_out = {"attempt": 3, "waited": 5.0}
    for before, switched_off in ((0, False), (1, False), (2, True)):
        outcome = decision(UnreachableError("refused"), unreachable_before=before, **worn_out)
        assert isinstance(outcome, Fail)
        assert outcome.switch_off is switched_off
        assert outcome.unreachable


def test_the_sources_own_complaint_fails_the_run_and_nothing_else() -> None:
    outcome = decision(SourceQueryError("division by zero"))
    assert isinstance(outcome, Fail)
    assert "division by zero" in outcome.message
    assert not outcome.switch_off


@pytest.mark.parametrize("error", [BrokenError("disk at /secret/path"), ValueError("inside"), KeyError("x")])
def test_a_bug_of_ours_shows_nothing_of_its_inside(error: Exception) -> None:
    assert decision(error) == Fail(UNEXPECTED)


def test_the_text_says_what_happened_and_what_to_do() -> None:
    outcome = decision(KeyRequiredError("Primary key required for incremental syncs"))
    assert isinstance(outcome, Fail)
    assert outcome.message.startswith("Primary key required for incremental syncs. Choose primary key columns")


def test_a_full_disk_is_said_with_what_to_do_and_the_schedule_goes_on() -> None:
    outcome = decision(DiskError("The disk of the tables is full.", hint="Free some space on it."))
    assert outcome == Fail("The disk of the tables is full. Free some space on it.")


def test_another_secret_key_is_said() -> None:
    outcome = decision(SealError("The stored settings were sealed with another HEDGEROW_SECRET_KEY."))
    assert isinstance(outcome, Fail)
    assert outcome.message.startswith("The stored settings were sealed with another HEDGEROW_SECRET_KEY. Start the")
    assert not outcome.switch_off


def test_a_process_that_keeps_dying_is_given_up() -> None:
    assert isinstance(after_crash(1), Retry)
    assert isinstance(after_crash(2), Retry)
    assert after_crash(3) == Fail(UNEXPECTED)
