"""The application that a WSGI server calls; for `hedgerow serve` and for anybody's own server."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from hedgerow.server.forwarded import ForwardedHeaders

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hedgerow.server.settings")
_django = get_wsgi_application()

# Loads the routes, so that the first request is not a slow one.
import_module(settings.ROOT_URLCONF)

application = ForwardedHeaders(_django, settings.CONFIG.trusted_proxies)
