"""Owns what several connectors share, one package per kind of system.

May use the connector contract. Never names a single vendor's table.
"""
