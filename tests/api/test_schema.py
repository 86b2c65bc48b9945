"""The document tells what the server does; the page needs nothing from elsewhere."""

import json
import re
from typing import Any

import pytest
import yaml

from hedgerow.api import schema
from tests.api.conftest import Caller

# api_conventions.md §13.1, as far as sources go, and §3.3
DOCUMENTED = {
    "environments_external_data_sources_list": "external_data_source:read",
    "environments_external_data_sources_create": "external_data_source:write",
    "environments_external_data_sources_retrieve": "external_data_source:read",
    "environments_external_data_sources_partial_update": "external_data_source:write",
    "environments_external_data_sources_destroy": "external_data_source:write",
    "environments_external_data_sources_jobs_retrieve": "external_data_source:read",
    "environments_external_data_sources_reload_create": "external_data_source:write",
    "environments_external_data_sources_revenue_analytics_config_partial_update": "external_data_source:write",
    "environments_external_data_sources_database_schema_create": "external_data_source:write",
    "environments_external_data_sources_source_prefix_create": "external_data_source:read",
    "environments_external_data_sources_wizard_retrieve": "external_data_source:read",
    "environments_external_data_schemas_reload_create": "external_data_source:write",
    "environments_external_data_sources_access_controls_retrieve": "access_control:read",
    "environments_external_data_sources_access_controls_update": "access_control:write",
    "environments_external_data_sources_users_with_access_retrieve": "access_control:read",
    "environments_query_create": "query:read",
    "environments_query_retrieve": "query:read",
    "environments_query_destroy": "query:read",
    "environments_warehouse_tables_list": "warehouse_table:read",
    "users_me_retrieve": "user:read",
    "organizations_list": "organization:read",
    "organizations_projects_list": "project:read",
    "organizations_members_list": "organization_member:read",
    "organizations_members_destroy": "organization_member:write",
    "environments_list": "project:read",
    "environments_partial_update": "project:write",
}


def operations() -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation | {"path": path, "method": method}
        for path, methods in schema.document()["paths"].items()
        for method, operation in methods.items()
    }


def test_every_documented_operation_is_there_with_its_scope() -> None:
    found = operations()
    assert {name: found.get(name, {}).get("x-scopes") for name in DOCUMENTED} == {
        name: [scope] for name, scope in DOCUMENTED.items()
    }


def test_ids_are_unique_and_routes_below_projects_are_left_out() -> None:
    every = [operation for methods in schema.document()["paths"].values() for operation in methods.values()]
    assert len(operations()) == len(every)
    assert not [path for path in schema.document()["paths"] if path.startswith("/api/projects/")]


def test_every_operation_knows_the_envelope_and_its_parameters() -> None:
    for name, operation in operations().items():
        for status in ("400", "401", "403", "404", "429", "default"):
            content = operation["responses"][status]["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Error"}, name
        in_path = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", operation["path"])), name
        assert operation["description"].strip(), name


def test_generating_it_leaves_no_doubt(capsys: pytest.CaptureFixture[str]) -> None:
    schema.document.cache_clear()
    schema.document()
    assert capsys.readouterr().err == ""


def test_lists_are_pages() -> None:
    for name, operation in operations().items():
        if not name.endswith("_list") or name == "personal_api_keys_list":
            continue
        reference = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        page = schema.document()["components"]["schemas"][reference.rpartition("/")[2]]
        more = {"users"} if name == "environments_file_system_list" else set()
        assert set(page["properties"]) == {"count", "next", "previous", "results"} | more, name
        assert page["properties"]["results"]["type"] == "array"
        assert {"limit", "offset"} <= {p["name"] for p in operation["parameters"]}, name


@pytest.mark.parametrize(
    ("query", "accept", "as_json"),
    [
        ("", "", False),
        ("", "*/*", False),
        ("", "application/json", True),
        ("?format=json", "", True),
        ("?format=json", "application/yaml", True),
        ("?format=yaml", "application/json", False),
    ],
)
def test_it_comes_as_json_or_yaml(api: type[Caller], query: str, accept: str, as_json: bool) -> None:
    answer = api().get(f"/api/schema{query}", headers={"Accept": accept} if accept else {})
    assert answer.status_code == 200
    assert ("json" in answer.headers["Content-Type"]) is as_json
    read = (
        json.loads(answer.content)
        if as_json
        else yaml.load(answer.content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    )
    assert read["openapi"].startswith("3.")
    assert read == json.loads(json.dumps(schema.document()))


def test_the_page_needs_nothing_from_elsewhere(api: type[Caller]) -> None:
    page = api().get("/api/schema/swagger-ui")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    html = page.content.decode()
    assert "<script>" not in html, "the policy forbids inline scripts"
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(addresses) == 4
    for address in addresses:
        assert address.startswith("/api/schema/"), address
        assert api().get(address).status_code == 200, address


@pytest.mark.parametrize(
    ("name", "kind"),
    [("swagger-ui.css", "text/css"), ("swagger-ui-bundle.js", "javascript"), ("start.js", "javascript")],
)
def test_its_files_come_out_of_the_package(api: type[Caller], name: str, kind: str) -> None:
    answer = api().get(f"/api/schema/swagger-ui/{name}")
    assert kind in answer.headers["Content-Type"]
    assert answer.content


@pytest.mark.parametrize("name", ["nope.js", "..%2f..%2fviews.py", "LICENSE", "swagger-ui.css.map"])
def test_no_other_file_is_served(api: type[Caller], name: str) -> None:
    assert api().get(f"/api/schema/swagger-ui/{name}").status_code == 404
