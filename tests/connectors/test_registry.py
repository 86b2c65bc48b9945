import subprocess
import sys

import pytest

from hedgerow.connectors import registry


def test_a_file_of_the_catalog_is_a_connector_under_its_own_name() -> None:
    assert registry.names() == ["Demo", "Postgres"]
    for name in registry.names():
        assert registry.get(name).spec.name == name


def test_a_name_without_connector_is_a_key_error() -> None:
    for name in ("Stripe", "postgres", "", "catalog"):
        with pytest.raises(KeyError):
            registry.get(name)


@pytest.mark.parametrize("name", ["Postgres", "Demo", "Stripe", "BingAds", "Clerk", "Convex", "SFTP"])
def test_names_of_the_contract_and_of_connectors_here_are_known(name: str) -> None:
    assert registry.is_known(name)


@pytest.mark.parametrize("name", ["postgres", "Nonsense", "", " Stripe"])
def test_other_names_are_not(name: str) -> None:
    assert not registry.is_known(name)


def test_the_wizard_offers_what_is_here_and_announces_the_rest() -> None:
    wizard = registry.wizard()

    assert all(name == entry["name"] for name, entry in wizard.items())
    assert {name for name, entry in wizard.items() if not entry["unreleasedSource"]} == set(registry.names())
    announced = [entry for entry in wizard.values() if entry["unreleasedSource"]]
    assert len(announced) == 32
    assert all(entry["fields"] == [] and entry["category"] for entry in announced)
    assert wizard["MSSQL"]["label"] == "Microsoft SQL Server"
    assert wizard["Stripe"]["label"] is None
    assert "Clerk" not in wizard


def test_the_form_of_postgres_is_the_contracts_example() -> None:
    entry = registry.wizard()["Postgres"]
    plain = {"required": True, "caption": None, "secret": False}
    assert entry["fields"] == [
        {"type": "text", "name": "host", "label": "Host", "placeholder": "db.example.com", **plain},
        {"type": "number", "name": "port", "label": "Port", "placeholder": "5432", **plain},
        {"type": "text", "name": "database", "label": "Database", "placeholder": "postgres", **plain},
        {"type": "text", "name": "user", "label": "User", "placeholder": "postgres", **plain},
        {"type": "password", "name": "password", "label": "Password", "placeholder": "", **plain, "secret": True},
        {"type": "text", "name": "schema", "label": "Schema", "placeholder": "public", **plain, "required": False},
        {"type": "ssh-tunnel", "name": "ssh_tunnel", "label": "Use SSH tunnel?"},
    ]
    assert (entry["featured"], entry["label"], entry["iconPath"]) == (True, None, "/static/services/postgres.png")


def test_connectors_are_imported_on_first_use() -> None:
    script = """
import sys
from hedgerow.connectors import registry
catalog = "hedgerow.connectors.catalog."
here = lambda: sorted(name for name in sys.modules if name.startswith(catalog) and name.count(".") == 3)
assert registry.names() and registry.is_known("Demo") and here() == [], here()
registry.get("Demo")
assert here() == ["hedgerow.connectors.catalog.demo"], here()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
