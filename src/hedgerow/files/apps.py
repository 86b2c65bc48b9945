"""Makes this room known to Django."""

from django.apps import AppConfig


class FilesConfig(AppConfig):
    name = "hedgerow.files"
    label = "files"
