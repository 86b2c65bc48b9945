"""Run by dlt's own Python: `with_dlt.py BACKEND delta|parquet replace|merge URI TABLE FOLDER`.

dlt's `sql_table` as its documentation shows it. `merge` keeps its cursor in dlt's state beside the tables.
"""

import os
import sys
from typing import Any


def main(backend: str, form: str, mode: str, uri: str, table: str, folder: str) -> None:
    os.environ |= {"DLT_DATA_DIR": folder, "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    import dlt  # after its settings
    from dlt.sources.sql_database import sql_table

    options: dict[str, Any] = {"backend": backend, "chunk_size": 100_000}
    if backend == "connectorx":  # full_with_precision fails on numeric(18,4): connectorx hands out (38,10)
        options |= {"reflection_level": "full", "backend_kwargs": {"conn": uri, "return_type": "arrow"}}
    else:
        options |= {"reflection_level": "full_with_precision", "backend_kwargs": {"tz": "UTC"}}
    if mode == "merge":
        options |= {"primary_key": "id", "incremental": dlt.sources.incremental("updated_at", primary_key="id")}
    credentials = uri.replace("postgresql://", "postgresql+psycopg2://")
    resource = sql_table(credentials=credentials, table=table, schema="public", **options)
    pipeline = dlt.pipeline(
        "benchmark",
        destination=dlt.destinations.filesystem(f"file://{folder}/out"),
        dataset_name="lake",
        pipelines_dir=f"{folder}/pipelines",
    )
    disposition: Any = {"disposition": "merge", "strategy": "upsert"} if mode == "merge" else "replace"
    told = {"table_format": "delta"} if form == "delta" else {"loader_file_format": "parquet"}
    info = pipeline.run(resource, table_name=table, write_disposition=disposition, **told)
    info.raise_on_failed_jobs()


if __name__ == "__main__":
    main(*sys.argv[1:])
