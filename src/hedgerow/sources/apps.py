"""Makes this room known to Django."""

from django.apps import AppConfig


class SourcesConfig(AppConfig):
    name = "hedgerow.sources"
    label = "sources"
