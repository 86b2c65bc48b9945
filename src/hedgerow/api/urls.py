"""The whole contract on one screen. `project_routes` answer below /api/environments/ and /api/projects/ alike.

Every route is written with its trailing slash; api.middleware adds one where the caller left it out.
"""

from django.urls import include, path

from hedgerow.api.projects import OneProjectView, ProjectListView

project_routes = [
    path("", OneProjectView.as_view({"get": "retrieve"})),
]

urlpatterns = [
    *(path(f"api/{prefix}/", ProjectListView.as_view({"get": "list"})) for prefix in ("environments", "projects")),
    *(path(f"api/{prefix}/<project_id>/", include(project_routes)) for prefix in ("environments", "projects")),
]
