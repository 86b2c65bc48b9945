"""Imported once by the process that runs are forked from: Django set up, everything a run needs loaded."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hedgerow.server.settings")
django.setup()

from hedgerow.sync import run  # noqa: E402 - models need Django set up first

__all__ = ["run"]
