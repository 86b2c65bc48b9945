"""The whole contract on one screen. `project_routes` answer below /api/environments/ and /api/projects/ alike.

Every route is written with its trailing slash; api.middleware adds one where the caller left it out.
"""

from typing import Any

from django.urls import URLPattern, URLResolver, include, path

from hedgerow.api import health, schema
from hedgerow.api.access_controls import ProjectRulesView, ResourceRulesView, SourceRulesView, rule_routes
from hedgerow.api.external_data_schemas import ExternalDataSchemaView
from hedgerow.api.external_data_sources import ExternalDataSourceView
from hedgerow.api.file_system import FileSystemView
from hedgerow.api.file_system_shortcut import FileSystemShortcutView
from hedgerow.api.login import LoginView, LogoutView
from hedgerow.api.organizations import (
    MemberView,
    OrganizationListView,
    OrganizationProjectsView,
    OrganizationView,
    RoleMembershipView,
    RoleView,
)
from hedgerow.api.personal_api_keys import PersonalAPIKeyView
from hedgerow.api.projects import OneProjectView, ProjectListView
from hedgerow.api.query import QueryView
from hedgerow.api.users import UserView
from hedgerow.api.warehouse_tables import TableRulesView, TableVersionView, WarehouseTableView

RULES: dict[str, Any] = {"get": "access_controls", "put": "set_access_control"}

source_routes = [
    path("", ExternalDataSourceView.as_view({"get": "list", "post": "create"})),
    path("database_schema/", ExternalDataSourceView.as_view({"post": "database_schema"})),
    path("source_prefix/", ExternalDataSourceView.as_view({"post": "source_prefix"})),
    path("wizard/", ExternalDataSourceView.as_view({"get": "wizard"})),
    path(
        "<id>/",
        ExternalDataSourceView.as_view(
            {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
        ),
    ),
    path("<id>/jobs/", ExternalDataSourceView.as_view({"get": "jobs"})),
    path("<id>/reload/", ExternalDataSourceView.as_view({"post": "reload"})),
    path("<id>/revenue_analytics_config/", ExternalDataSourceView.as_view({"patch": "revenue_analytics_config"})),
    path("<id>/refresh_schemas/", ExternalDataSourceView.as_view({"post": "refresh_schemas"})),
]

schema_routes = [
    path("", ExternalDataSchemaView.as_view({"get": "list"})),
    path("<id>/", ExternalDataSchemaView.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"})),
    path("<id>/reload/", ExternalDataSchemaView.as_view({"post": "reload"})),
    path("<id>/resync/", ExternalDataSchemaView.as_view({"post": "resync"})),
    path("<id>/cancel/", ExternalDataSchemaView.as_view({"post": "cancel"})),
    path("<id>/delete_data/", ExternalDataSchemaView.as_view({"delete": "delete_data"})),
    path("<id>/incremental_fields/", ExternalDataSchemaView.as_view({"post": "incremental_fields"})),
    path("<id>/type_report/", ExternalDataSchemaView.as_view({"get": "type_report"})),
]

_ONE: dict[str, Any] = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}

file_routes = [
    path("", FileSystemView.as_view({"get": "list", "post": "create"})),
    path("count_by_path/", FileSystemView.as_view({"post": "count_by_path"})),
    path("unfiled/", FileSystemView.as_view({"get": "unfiled"})),
    path("log_view/", FileSystemView.as_view({"get": "log_view", "post": "log_a_view"})),
    path("undo_delete/", FileSystemView.as_view({"post": "undo_delete"})),
    path("<id>/", FileSystemView.as_view(_ONE)),
    path("<id>/count/", FileSystemView.as_view({"post": "count"})),
    path("<id>/move/", FileSystemView.as_view({"post": "move"})),
    path("<id>/link/", FileSystemView.as_view({"post": "link"})),
]

shortcut_routes = [
    path("", FileSystemShortcutView.as_view({"get": "list", "post": "create"})),
    path("reorder/", FileSystemShortcutView.as_view({"post": "reorder"})),
    path("bulk_update/", FileSystemShortcutView.as_view({"post": "bulk_update"})),
    path("<id>/", FileSystemShortcutView.as_view(_ONE)),
]

project_routes: list[URLPattern | URLResolver] = [
    path("", OneProjectView.as_view({"get": "retrieve", "patch": "partial_update"})),
    path("access_controls/", ProjectRulesView.as_view(RULES)),
    path("resource_access_controls/", ResourceRulesView.as_view(RULES)),
    path("external_data_sources/", include(source_routes)),
    *rule_routes("external_data_sources", SourceRulesView),
    path("external_data_schemas/", include(schema_routes)),
    path("file_system/", include(file_routes)),
    path("file_system_shortcut/", include(shortcut_routes)),
    path("query/", QueryView.as_view({"post": "create"})),
    path("query/<id>/", QueryView.as_view({"get": "retrieve", "delete": "destroy"})),
    path("warehouse_tables/", WarehouseTableView.as_view({"get": "list"})),
    *rule_routes("warehouse_tables", TableRulesView),
    path("warehouse_tables/<id>/", WarehouseTableView.as_view({"get": "retrieve", "delete": "destroy"})),
    path("warehouse_tables/<id>/versions/", TableVersionView.as_view({"get": "list"})),
]

organization_routes = [
    path("", OrganizationView.as_view({"get": "retrieve"})),
    path("projects/", OrganizationProjectsView.as_view({"get": "list"})),
    path("members/", MemberView.as_view({"get": "list"})),
    path("members/<user_uuid>/", MemberView.as_view({"patch": "partial_update", "delete": "destroy"})),
    path("roles/", RoleView.as_view({"get": "list", "post": "create"})),
    path("roles/<id>/", RoleView.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"})),
    path("roles/<role_id>/role_memberships/", RoleMembershipView.as_view({"get": "list", "post": "create"})),
    path("roles/<role_id>/role_memberships/<id>/", RoleMembershipView.as_view({"delete": "destroy"})),
]

key_routes = [
    path("", PersonalAPIKeyView.as_view({"get": "list", "post": "create"})),
    path("@current/", PersonalAPIKeyView.as_view({"get": "current"})),
    path("<id>/", PersonalAPIKeyView.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"})),
    path("<id>/roll/", PersonalAPIKeyView.as_view({"post": "roll"})),
]

urlpatterns = [
    path("api/login/", LoginView.as_view({"post": "create"})),
    path("api/logout/", LogoutView.as_view({"post": "create"})),
    path("api/users/", UserView.as_view({"get": "list"})),
    path("api/users/@me/", UserView.as_view({"get": "me"})),
    path("api/personal_api_keys/", include(key_routes)),
    path("api/organizations/", OrganizationListView.as_view({"get": "list"})),
    path("api/organizations/<organization_id>/", include(organization_routes)),
    path("api/environments/", ProjectListView.as_view({"get": "list"})),
    path("api/environments/<project_id>/", include(project_routes)),
    path("api/projects/", ProjectListView.as_view({"get": "list"})),
    path("api/projects/<project_id>/", include(project_routes)),
    path("api/schema/", schema.show),
    path("api/schema/swagger-ui/", schema.swagger),
    path("api/schema/swagger-ui/<name>/", schema.swagger_file),
    path("_livez/", health.livez),
    path("_readyz/", health.readyz),
    path("_health/", health.healthy),
]
