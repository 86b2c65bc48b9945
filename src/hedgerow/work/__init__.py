"""Owns the queue and the clock: what is due, who works on it, and what happens after a crash.

May use `core` and its own database tables. Never knows what a task means, only its kind.
"""
