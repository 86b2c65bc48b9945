"""Owns the list of connectors: one file is one connector, and its name is its key.

May use the kits. Never imports another connector.
"""
