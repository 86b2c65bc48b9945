"""/api/projects/ and /api/environments/ (api_conventions.md §9.4)."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import places
from hedgerow.accounts.models import Level, Project
from hedgerow.api.checks import ContractView, ProjectView
from hedgerow.api.fields import timestamp


def basic(project: Project) -> dict[str, Any]:
    """A project as lists show it."""
    return {
        "id": project.pk,
        "uuid": str(project.uuid),
        "organization": str(project.organization_id),
        "project_id": project.pk,
        "api_token": project.api_token,
        "name": project.name,
        "completed_snippet_onboarding": True,
        "has_completed_onboarding_for": {},
        "ingested_event": False,
        "is_demo": False,
        "timezone": project.timezone,
        "access_control": False,
    }


class ProjectListView(ContractView):
    """GET /api/projects/: what the caller can see and the key allows."""

    scope_object = "project"
    open_to_limited_keys = ("list",)

    def list(self, request: Request) -> Response:
        return self.page(places.projects_of(self.actor), basic)


class OneProjectView(ProjectView):
    """GET and PATCH /api/projects/:project_id/."""

    scope_object = "project"

    def retrieve(self, request: Request, project_id: str) -> Response:
        project, membership = self.project, self.actor.membership
        level = membership.level if membership else Level.MEMBER
        return Response(
            basic(project)
            | {
                "created_at": timestamp(project.created_at),
                "updated_at": timestamp(project.updated_at),
                "user_access_level": "admin" if self.actor.is_admin else self.actor.project_level,
                "effective_membership_level": max(level, Level.ADMIN if self.actor.is_admin else Level.MEMBER),
                "base_currency": project.base_currency,
            }
        )
