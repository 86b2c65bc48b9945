"""Owns people, organizations, projects, keys, and who may do what.

May use `core`. Never knows HTTP.
"""
