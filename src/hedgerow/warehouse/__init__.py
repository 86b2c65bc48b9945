"""Owns what can be queried: tables, their columns, and running SQL over them for a person.

May use `lake` and `accounts`. Never knows where a table's rows came from.
"""
