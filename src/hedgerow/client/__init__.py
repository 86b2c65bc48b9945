"""Owns speaking to a server from outside: one session over HTTP, its pages and its failures.

May use `core`. Never knows Django, the database or any rule of the server.
"""
