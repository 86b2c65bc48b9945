"""Makes this room known to Django."""

from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "hedgerow.sync"
    label = "sync"
