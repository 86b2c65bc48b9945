"""Makes this room known to Django, and its tasks to the queue."""

from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "hedgerow.sync"
    label = "sync"

    def ready(self) -> None:
        from hedgerow.sync import tasks

        tasks.register()
