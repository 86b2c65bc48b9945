"""Owns the Delta tables: where they lie, how they are written, kept in order and queried.

May use `core`, delta-rs and DuckDB. Never knows Django, users or connectors.
"""
