"""Owns the HTTP contract: addresses, checks, shapes and texts, one file per URL segment.

May use every domain room, one verb per request. Never holds a rule and never touches the engine.
"""
