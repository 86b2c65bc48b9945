"""Owns connections to outside systems and the tables chosen from them.

May use `connectors`, `warehouse`, `files` and `accounts`. Never runs a sync.
"""
