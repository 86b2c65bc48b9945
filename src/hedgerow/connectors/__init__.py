"""Owns talking to outside systems: forms, discovery, and reading tables as Arrow batches.

May use `core`. Never knows Django, users, projects, Delta tables or the database.
"""
