"""Owns the command line.

May use everything: it starts the parts. Never holds a rule.
"""
