"""Finds connectors by name; imports one on first use."""
