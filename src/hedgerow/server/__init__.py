"""Owns putting the parts together: Django settings, routes, the WSGI application.

May use everything. Never decides anything.
"""
