"""Makes this room known to Django."""

from django.apps import AppConfig


class WorkConfig(AppConfig):
    name = "hedgerow.work"
    label = "work"
