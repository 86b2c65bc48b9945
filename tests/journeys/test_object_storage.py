"""Tables in object storage: only the setting differs."""

from collections.abc import Iterator

import pytest
from pyarrow import fs

from hedgerow.lake.storage import Storage
from tests.support.server import Server

pytestmark = pytest.mark.journey


@pytest.fixture
def server(s3: Storage) -> Iterator[Server]:
    with Server(storage_url=s3.url) as running:
        yield running


def test_the_demo_shop_is_synced_queried_and_erased_in_a_bucket(server: Server, s3: Storage) -> None:
    schemas = [{"name": "products", "should_sync": True, "sync_type": "full_refresh"}]
    source = server.api("POST", "external_data_sources/", {"source_type": "Demo", "payload": {"schemas": schemas}})
    table = next(s for s in server.settled(source["id"])["schemas"] if s["name"] == "products")
    assert (table["status"], table["latest_error"]) == ("Completed", None)
    assert server.sql("select count() from demo_products") == [[table["table"]["row_count"]]]
    assert not list((server.folder / "tables").rglob("*")), "nothing lies in the folder"
    server.api("DELETE", f"external_data_sources/{source['id']}/")
    files = fs.FileSelector(s3.root, recursive=True, allow_not_found=True)
    server.until(lambda: not [f for f in s3.filesystem().get_file_info(files) if f.is_file], 30)
