"""Owns reading SQL databases: discovery, exact types, read plans.

May use DuckDB's scanners and database drivers. Never decides how often a table is read.
"""
