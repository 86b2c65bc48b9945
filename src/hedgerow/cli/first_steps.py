"""From nothing to a queried table: the demo source, for `hedgerow demo` and for what the first start prints."""

import json
import time
from typing import TYPE_CHECKING, Any, Final

from hedgerow.core.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from hedgerow.server.boot import FirstStart
    from hedgerow.sources.models import Source

WAIT_SECONDS: Final = 120.0
QUERY: Final = "SELECT status, count() AS orders FROM demo_orders GROUP BY status ORDER BY orders DESC"
DEMO: Final[dict[str, Any]] = {
    "source_type": "Demo",
    "payload": {
        "schemas": [
            {"name": "customers", "should_sync": True, "sync_type": "full_refresh"},
            {
                "name": "orders",
                "should_sync": True,
                "sync_type": "incremental",
                "incremental_field": "updated_at",
                "incremental_field_type": "timestamp",
            },
        ]
    },
}


def curl_lines(address: str, project_id: int, key: str) -> list[str]:
    """Three lines to paste: connect the demo source, look at it, query it."""
    api = f"{address}/api/environments/{project_id}"
    head = f"curl -sS -H 'Authorization: Bearer {key}'"
    post = f"{head} -H 'Content-Type: application/json'"
    query = json.dumps({"query": {"kind": "HogQLQuery", "query": QUERY}})
    return [
        f"{post} -d '{json.dumps(DEMO)}' {api}/external_data_sources/; echo",
        f"sleep 3; {head} {api}/external_data_sources/; echo",
        f"{post} -d '{query}' {api}/query/; echo",
    ]


def welcome(address: str, first: "FirstStart") -> str:
    """What the first start says, once."""
    connect, look, ask = curl_lines(address, first.project_id, first.key)
    return f"""
Welcome to Hedgerow. This is the first start, so an owner, a project and a key were made.
The password and the key are shown only now.

  Project   {first.project_id}
  Owner     {first.email}
  Password  {first.password}
  Key       {first.key}

Three lines to paste into another terminal:

1. Connect the demo source, a made-up shop
{connect}

2. See how its tables are doing
{look}

3. Query what was synced
{ask}

"""


def connect_demo(email: str | None) -> "Source":
    """The demo source in the current project of that user, or of the first one. Raises AppError."""
    from hedgerow.accounts.models import User
    from hedgerow.sync import lifecycle

    users = User.objects.select_related("current_project").order_by("id")
    user = users.filter(email=email.strip().lower()).first() if email else users.first()
    if user is None or user.current_project is None:
        raise NotFoundError(
            f"{email or 'This installation'} has no project yet.",
            hint="Start `hedgerow serve` once, or make a user and a project with `hedgerow admin`.",
        )
    return lifecycle.connect(project=user.current_project, user=user, data=DEMO)


def wait_for(source: "Source") -> None:
    """Until every first run has ended. Raises ConflictError when no worker is there or it takes too long."""
    from hedgerow.sync.health import worker_alive
    from hedgerow.sync.models import Run, RunStatus

    deadline = time.monotonic() + WAIT_SECONDS
    while Run.objects.filter(source_table__source=source, status=RunStatus.RUNNING).exists():
        if not worker_alive():
            raise ConflictError("No worker is running.", hint="Start `hedgerow serve` in another terminal.")
        if time.monotonic() > deadline:
            raise ConflictError(f"The first sync takes longer than {WAIT_SECONDS:.0f} s.", hint="Look at its jobs.")
        time.sleep(0.1)


def result(source: "Source", *, with_rows: bool) -> tuple[dict[str, Any], str]:
    """What came of it: data for scripts, and the same for people."""
    from hedgerow.sources.naming import table_name

    tables = [
        {
            "name": t.table_name or table_name(source, t.name),
            "status": t.status,
            "error": t.latest_error,
            "rows": t.table.row_count if t.table else None,
        }
        for t in source.source_tables.filter(should_sync=True).select_related("table").order_by("name")
    ]
    lines = [f"  {t['name']}" + (f": {t['status']}, {t['rows']} rows" if with_rows else "") for t in tables]
    data = {"id": str(source.id), "project": source.project_id, "tables": tables}
    return data, "\n".join([f"Source {source.id}", *lines, f"Query: {QUERY}"])
