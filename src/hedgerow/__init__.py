"""Hedgerow: bring data from anywhere into open Delta Lake tables, in one process."""

__version__ = "0.1.0"
