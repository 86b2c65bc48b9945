"""Owns settings, errors, secrets, the clock, ids and logs: what every room needs and nothing else.

May use the standard library and `cryptography`. Never imports Django or another room.
"""
