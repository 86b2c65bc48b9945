"""What every child process needs, imported once in the process they are forked from. Never imported by the server."""

import pyarrow.parquet

from hedgerow.lake import query

__all__ = ["pyarrow", "query"]
