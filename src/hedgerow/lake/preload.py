"""What every child process needs, imported once in the process they are forked from. Never imported by the server."""

import deltalake
import duckdb
import pyarrow
import pyarrow.parquet
import sqlglot.dialects.duckdb

__all__ = ["deltalake", "duckdb", "pyarrow", "sqlglot"]
