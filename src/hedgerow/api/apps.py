"""Makes this room known to Django."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "hedgerow.api"
    label = "api"
