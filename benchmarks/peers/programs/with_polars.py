"""Run by Polars' own Python: `with_polars.py replace|merge URI TABLE FOLDER`.

ConnectorX reads, delta-rs writes: Polars' documented two lines. `merge` takes the cursor from the table itself and
ends with delta-rs' MERGE.
"""

import sys

import polars as pl


def main(mode: str, uri: str, table: str, folder: str) -> None:
    if mode == "replace":
        read = pl.read_database_uri(
            f"select * from {table}", uri, engine="connectorx", partition_on="id", partition_num=2
        )
        read.write_delta(folder, mode="overwrite")
        return
    cursor = pl.scan_delta(folder).select(pl.col("updated_at").max()).collect().item()
    changed = pl.read_database_uri(
        f"select * from {table} where updated_at > '{cursor.isoformat()}'", uri, engine="connectorx"
    )
    if not changed.is_empty():
        on = {"predicate": "t.id = s.id", "source_alias": "s", "target_alias": "t"}
        merger = changed.write_delta(folder, mode="merge", delta_merge_options=on)
        merger.when_matched_update_all().when_not_matched_insert_all().execute()


if __name__ == "__main__":
    main(*sys.argv[1:])
