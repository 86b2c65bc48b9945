"""Owns runs: bringing one source table up to date, again and again, whatever dies.

May use `sources`, `warehouse`, `files`, `lake`, `connectors` and `work`. Never knows HTTP.
"""
