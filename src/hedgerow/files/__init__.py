"""Owns every project's tree: entries, what people viewed, and their favourites.

May use `accounts`. Never knows what an entry stands for, only its kind as a word.
"""
