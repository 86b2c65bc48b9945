"""docs/openapi.yml is the contract as a file: every change to it shows in a diff, and it is what the server serves."""

from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.yml"


def test_the_file_is_current_and_without_warnings() -> None:
    written = StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", stdout=written)

    assert FILE.read_text() == written.getvalue(), "run `make openapi`"


@pytest.mark.django_db
def test_the_server_serves_the_same() -> None:
    served = yaml.safe_load(Client().get("/api/schema/").content)

    assert served == yaml.safe_load(FILE.read_text())


def test_the_documented_operations_have_their_ids() -> None:
    """api_conventions.md §13.1: generated clients are built on these."""
    document = yaml.safe_load(FILE.read_text())
    operations = [
        operation
        for methods in document["paths"].values()
        for operation in methods.values()
        if isinstance(operation, dict)
    ]
    ids = [operation["operationId"] for operation in operations]

    assert len(ids) == len(set(ids))
    source, files = "environments_external_data_sources", "environments_file_system"
    assert {
        f"{source}_list",
        f"{source}_create",
        f"{source}_retrieve",
        f"{source}_partial_update",
        f"{source}_destroy",
        f"{source}_jobs_retrieve",
        f"{source}_reload_create",
        f"{source}_revenue_analytics_config_partial_update",
        f"{source}_database_schema_create",
        f"{source}_source_prefix_create",
        f"{source}_wizard_retrieve",
        "environments_external_data_schemas_reload_create",
        "environments_query_create",
        f"{files}_list",
        f"{files}_create",
        f"{files}_retrieve",
        f"{files}_partial_update",
        f"{files}_destroy",
        f"{files}_count_create",
        f"{files}_move_create",
    } <= set(ids)
