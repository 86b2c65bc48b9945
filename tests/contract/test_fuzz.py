"""The OpenAPI document, fuzzed: whatever is sent, the answer is one that the document names, and never a 5xx."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from django.core import signals
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hedgerow.server.wsgi import application
from tests.support.people import People

CHECKS: Final = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
EXAMPLES: Final = 10
"""Requests of each kind (as the document says, and not) to each operation."""

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Requests keep the test's connection, as those of Django's own test client do."""
    ends = (signals.request_started, signals.request_finished)
    for end in ends:
        end.disconnect(close_old_connections)
    yield
    for end in ends:
        end.connect(close_old_connections)


@pytest.mark.django_db
@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_nothing_that_is_sent_breaks_the_server_or_the_document(people: People, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_wsgi("/api/schema/?format=json", application)
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 40
    failures = [f"{o.label}: {error}" for o in operations if (error := _attack(o, mode, people))]
    assert not failures, "\n\n".join(failures)


def _attack(operation: Any, mode: GenerationMode, people: People) -> str:
    """What went wrong first with this operation; empty when nothing did."""

    @bounded
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: Any) -> None:
        if "project_id" in (case.path_parameters or {}):
            case.path_parameters["project_id"] = str(people.project.id)  # or no request would get past its door
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {people.keys['alice']}"}
        with transaction.atomic():
            try:
                case.call_and_validate(checks=CHECKS)
            finally:
                transaction.set_rollback(True)

    try:
        attempt()
    except (Exception, FailureGroup) as error:  # every operation is tried before the test fails
        return str(error)[:1500]
    return ""
