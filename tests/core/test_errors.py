"""Errors carry what the user needs: what happened, what to do, and which input it is about."""

from hedgerow.core.errors import AppError, BadRequestError, KeyRequiredError, NotFoundError, RateLimitedError


def test_a_class_brings_its_own_code_and_hint() -> None:
    error = BadRequestError("Enter a valid URL.", field="payload__host")

    assert (error.message, error.code, error.field) == ("Enter a valid URL.", "invalid_input", "payload__host")
    assert error.hint == BadRequestError.hint != ""


def test_what_is_said_where_it_is_raised_wins() -> None:
    error = BadRequestError("Taken.", code="unique", hint="Choose another name.", extra={"name": "x"})

    assert (error.code, error.hint, error.extra) == ("unique", "Choose another name.", {"name": "x"})


def test_not_found_needs_no_words() -> None:
    assert NotFoundError().message == "Not found."


def test_a_rate_limit_carries_its_seconds() -> None:
    assert RateLimitedError("Slow down.", retry_after=30).retry_after == 30


def test_every_error_can_be_caught_as_one() -> None:
    assert issubclass(KeyRequiredError, AppError)
    assert str(KeyRequiredError("No key.")) == "No key."
