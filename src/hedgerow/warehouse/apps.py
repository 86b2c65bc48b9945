"""Makes this room known to Django."""

from django.apps import AppConfig


class WarehouseConfig(AppConfig):
    name = "hedgerow.warehouse"
    label = "warehouse"
