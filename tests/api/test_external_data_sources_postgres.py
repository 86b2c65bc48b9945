"""Sources over a real PostgreSQL: previewed, created, refreshed and asked about through the API."""

from typing import Any

import pytest

from hedgerow.sources.models import Source
from tests.api.conftest import Caller, envelope
from tests.support.postgres import PostgresDatabase


@pytest.fixture
def shop(pg_database: PostgresDatabase) -> PostgresDatabase:
    pg_database.execute(
        """
        create table orders (id bigint primary key, total numeric(12, 2), updated_at timestamptz not null);
        comment on table orders is 'What was bought';
        create table "Order Items ""x"" 😀" (order_id int, line int, note text, primary key (order_id, line));
        create view countries as select 'de' as code;
        insert into orders select n, n * 1.5, now() from generate_series(1, 12) n;
        """
    )
    return pg_database


def body(shop: PostgresDatabase, *schemas: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"source_type": "Postgres", "payload": {**shop.settings(**changes), "schemas": list(schemas)}}


ORDERS = {
    "name": "orders",
    "should_sync": True,
    "sync_type": "incremental",
    "incremental_field": "updated_at",
    "incremental_field_type": "timestamp",
}


def test_a_preview_shows_what_the_database_holds(alice: Caller, base: str, shop: PostgresDatabase) -> None:
    answer = alice.post(
        f"{base}/external_data_sources/database_schema/", {"source_type": "Postgres", **shop.settings()}
    )
    assert answer.status_code == 200, answer.content
    items, countries, orders = sorted(answer.json(), key=lambda t: str(t["table"]))
    assert [t["table"] for t in answer.json()] == sorted(t["table"] for t in answer.json())
    assert (items["table"], items["detected_primary_keys"]) == ('Order Items "x" 😀', ["order_id", "line"])
    assert (countries["incremental_available"], countries["incremental_field"]) == (False, None)
    assert (orders["rows"], orders["description"]) == (12, "What was bought")
    assert [(f["field"], f["field_type"]) for f in orders["incremental_fields"]] == [
        ("id", "integer"),
        ("updated_at", "timestamp"),
    ]
    assert [c["type"] for c in orders["available_columns"]] == ["integer", "decimal", "datetime"]


def test_an_empty_or_missing_schema_shows_nothing(alice: Caller, base: str, shop: PostgresDatabase) -> None:
    settings = {"source_type": "Postgres", **shop.settings(schema="nowhere")}
    assert alice.post(f"{base}/external_data_sources/database_schema/", settings).json() == []


def test_a_source_is_made_and_asked_about(alice: Caller, base: str, shop: PostgresDatabase) -> None:
    answer = alice.post(f"{base}/external_data_sources/", body(shop, ORDERS))
    assert answer.status_code == 201, answer.content
    (orders,) = answer.json()["schemas"]
    assert (orders["description"], orders["primary_key_columns"]) == ("What was bought", ["id"])
    fields = alice.post(f"{base}/external_data_schemas/{orders['id']}/incremental_fields/").json()
    assert [f["field"] for f in fields["incremental_fields"]] == ["id", "updated_at"]
    url = f"{base}/external_data_sources/{answer.json()['id']}/"
    assert alice.patch(url, alice.get(url).json()).status_code == 200


def test_refresh_follows_the_database(alice: Caller, base: str, shop: PostgresDatabase) -> None:
    source = alice.post(f"{base}/external_data_sources/", body(shop, {"name": "countries"})).json()
    url = f"{base}/external_data_sources/{source['id']}/"
    assert alice.post(f"{url}refresh_schemas/").json() == {"added": 2, "deleted": 0, "total_tables_seen": 3}
    shop.execute("drop view countries; alter table orders rename to purchases")
    assert alice.post(f"{url}refresh_schemas/").json() == {"added": 1, "deleted": 2, "total_tables_seen": 2}
    assert [s["name"] for s in alice.get(url).json()["schemas"]] == ['Order Items "x" 😀', "purchases"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"password": "wrong"}, "Invalid user or password"),
        ({"user": "nobody"}, "Invalid user or password"),
        ({"database": "nowhere"}, "Database does not exist"),
        ({"port": 1}, "Could not connect to the host on the port given"),
        ({"host": "no-such-host.invalid"}, "Could not connect to the host"),
        ({"host": "169.254.169.254"}, "Hosts with internal IP addresses are not allowed"),
        ({"host": "0.0.0.0"}, "Hosts with internal IP addresses are not allowed"),
        ({"host": "https://db.example.com/x"}, "Could not connect to the host"),
        (
            {"ssh_tunnel": {"enabled": True, "host": "127.0.0.1", "port": 22, "auth": {"selection": "x"}}},
            "Authentication type not recognised",
        ),
        (
            {
                "ssh_tunnel": {
                    "enabled": "true",
                    "host": "127.0.0.1",
                    "port": "443",
                    "auth_type": {"type": "password", "username": "u", "password": "p"},
                }
            },
            "Port 443 is not allowed",
        ),
        (
            {"ssh_tunnel": {"enabled": True, "host": "h", "auth": {"selection": "password", "username": "u"}}},
            "SSH tunnel host not allowed: Host could not be resolved",
        ),
        (
            {"ssh_tunnel": {"enabled": True, "port": 22, "auth": {"selection": "keypair", "private_key": "x"}}},
            "Private key could not be parsed",
        ),
        (
            {"ssh_tunnel": {"enabled": True, "auth": {"selection": "password", "username": "u", "password": "p"}}},
            "Invalid source config: Required field 'ssh_tunnel.host' is missing",
        ),
    ],
)
def test_a_database_that_cannot_be_reached_says_why(
    alice: Caller, base: str, shop: PostgresDatabase, changes: dict[str, Any], text: str
) -> None:
    answer = alice.post(f"{base}/external_data_sources/", body(shop, ORDERS, **changes))
    assert envelope(answer) == (400, "invalid_input", text, None)
    assert not Source.objects.exists()


def test_an_outage_changes_nothing(alice: Caller, base: str, shop: PostgresDatabase, postgres: Any) -> None:
    source = alice.post(f"{base}/external_data_sources/", body(shop, {"name": "orders"})).json()
    url = f"{base}/external_data_sources/{source['id']}/"
    postgres.stop()
    assert envelope(alice.post(f"{url}refresh_schemas/"))[2] == (
        "Could not connect to the source. Check the host, port, and network access."
    )
    assert alice.get(url).json() == source
