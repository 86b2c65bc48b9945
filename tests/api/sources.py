"""Making sources through the API, for the tests of what can be done with them."""

from typing import Any

from hedgerow.sources.models import Source, SourceTable
from hedgerow.warehouse.models import Table
from tests.api.conftest import Caller
from tests.support.fake_connector import body_of


def create(caller: Caller, base: str, *schemas: dict[str, Any], prefix: str | None = None, **settings: Any) -> Any:
    """The answer's source: of the fake, with the tables named or `orders` in full."""
    answer = caller.post(f"{base}/external_data_sources/", body_of(*schemas, prefix=prefix, **settings))
    assert answer.status_code == 201, answer.content
    return answer.json()


def table_of(source: Any, name: str = "orders") -> SourceTable:
    """The row of one of the source's tables."""
    return SourceTable.objects.get(source_id=source["id"], name=name)


def give_data(source: Any, name: str = "orders", **values: Any) -> Table:
    """As if the table had been synced."""
    row = table_of(source, name)
    project = Source.objects.get(id=source["id"]).project
    columns = [{"name": "id", "type": "integer"}, {"name": "note", "type": "string"}]
    table = Table.objects.create(
        project=project,
        name=f"mysql_{name}",
        location=f"{project.pk}/{row.id}",
        columns=columns,
        row_count=3,
        owner_kind="external_data_source",
        owner_id=source["id"],
    )
    SourceTable.objects.filter(id=row.id).update(**{"table": table, "status": "Completed", **values})
    return table
