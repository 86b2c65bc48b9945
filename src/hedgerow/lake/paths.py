"""Where a table lies, relative to the storage: the only place that spells a path."""

from uuid import UUID


def location(project_id: int, table_name: str, table_id: UUID) -> str:
    """`<project id>/<warehouse table name>-<last 8 hex digits of the table's id>`.

    The last digits, because the first ones of a version 7 id are a clock: tables made together would share them.
    """
    return f"{project_id}/{table_name}-{table_id.hex[-8:]}"
