"""Every address: the contract below /api/, health, and the Swagger page."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
