"""Every address: the contract below /api/ and the health routes. Failures outside of views answer the envelope."""

from django.urls import include, path

handler400 = "hedgerow.api.errors.bad_request"
handler403 = "hedgerow.api.errors.forbidden"
handler404 = "hedgerow.api.errors.not_found"
handler500 = "hedgerow.api.errors.broken"

urlpatterns = [path("", include("hedgerow.api.urls"))]
