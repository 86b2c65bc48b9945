"""What every child process needs, imported once in the process they are forked from. Never imported by the server."""

import pyarrow.dataset  # DuckDB imports it when it is handed the rows that were deleted
import pyarrow.parquet

from hedgerow.lake import query

__all__ = ["pyarrow", "query"]
