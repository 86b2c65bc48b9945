"""Makes this room known to Django, its tasks to the queue, and how sources are deleted to the tree."""

from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "hedgerow.sync"
    label = "sync"

    def ready(self) -> None:
        from hedgerow.files import kinds
        from hedgerow.sources import tree
        from hedgerow.sync import lifecycle, tasks

        tasks.register()
        kinds.register(tree.kind(delete=lifecycle.disconnect))
