"""`hedgerow admin …`: users, projects, members and keys from the command line. Scripts depend on these names."""

from typing import TYPE_CHECKING

import click

from hedgerow.cli.installation import migrated_installation
from hedgerow.cli.output import doing, json_option, show
from hedgerow.core.errors import NotFoundError
from hedgerow.core.ids import parse_uuid

if TYPE_CHECKING:
    from hedgerow.accounts.models import Organization, Project, User

LEVELS = ("viewer", "member", "admin", "owner")


def _user(email: str) -> "User":
    from hedgerow.accounts.models import User

    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        raise NotFoundError(f"There is no user {email}.", hint="`hedgerow admin create-user` makes one.")
    return user


def _project(project_id: int) -> "Project":
    from hedgerow.accounts.models import Project

    project = Project.objects.filter(id=project_id).first()
    if project is None:
        raise NotFoundError(f"There is no project {project_id}.", hint="`hedgerow admin create-project` makes one.")
    return project


def _organization(text: str) -> "Organization":
    from hedgerow.accounts.models import Organization

    wanted = parse_uuid(text)
    organization = Organization.objects.filter(id=wanted).first() if wanted else None
    if organization is None:
        raise NotFoundError(f"There is no organization {text}.", hint="Leave --organization out to make a new one.")
    return organization


@click.group()
@json_option
def admin() -> None:
    """Make users, projects, members and keys."""


@admin.command("create-user")
@click.option("--email", required=True, help="The user's address; it is also the name to sign in with.")
@click.option("--password", help="Without one the user is a service account, which cannot sign in but can own keys.")
@json_option
def create_user(email: str, password: str | None) -> None:
    """Make a user."""
    with migrated_installation(), doing("The user was not created.", email):
        from hedgerow.accounts import services

        user = services.create_user(email, password)
        show({"id": user.id, "email": user.email}, f"User {user.id}: {user.email}")


@admin.command("create-project")
@click.option("--name", required=True, help="The project's name.")
@click.option(
    "--owner", required=True, help="E-mail of the user it belongs to; it becomes that user's current project."
)
@click.option("--organization", help="Id of an organization of the owner; without it a new one is made.")
@json_option
def create_project(name: str, owner: str, organization: str | None) -> None:
    """Make a project, in a new organization unless one is named."""
    with migrated_installation(), doing("The project was not created.", name):
        from hedgerow.accounts import services

        project = services.create_project(name, _user(owner), _organization(organization) if organization else None)
        data = {"id": project.id, "organization": str(project.organization_id), "name": project.name}
        show(data, f"Project {project.id}: {project.name} (organization {project.organization_id})")


@admin.command("add-member")
@click.option("--project", "project_id", type=int, required=True, help="The project's id.")
@click.option("--email", required=True, help="E-mail of the user to add.")
@click.option("--level", type=click.Choice(LEVELS), required=True, help="What the user may do there.")
@json_option
def add_member(project_id: int, email: str, level: str) -> None:
    """Add a user to a project."""
    with migrated_installation(), doing("The member was not added.", f"project {project_id}, {email}"):
        from hedgerow.accounts import services

        services.add_member(_project(project_id), _user(email), level)
        show({"project": project_id, "email": email, "level": level}, f"{email} is {level} in project {project_id}")


@admin.command("create-key")
@click.option("--email", required=True, help="E-mail of the user the key acts for.")
@click.option("--label", required=True, help="What the key is for, at most 40 characters.")
@click.option("--scopes", required=True, help="What it may do: object:read or object:write, with commas; or *.")
@click.option("--project", "projects", type=int, multiple=True, metavar="ID ...", help="Limit it to these projects.")
@click.argument("more_projects", type=int, nargs=-1, metavar="")
@json_option
def create_key(email: str, label: str, scopes: str, projects: tuple[int, ...], more_projects: tuple[int, ...]) -> None:
    """Make an API key. Its value is shown only now."""
    if more_projects and not projects:
        raise click.UsageError(f"Unexpected argument: {more_projects[0]}. Projects follow --project.")
    with migrated_installation(), doing("The key was not created.", f"{label}, for {email}"):
        from hedgerow.accounts import services

        wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
        key, value = services.create_key(
            _user(email), label, wanted, [_project(each) for each in (*projects, *more_projects)]
        )
        show({"id": key.id, "value": value}, f"Key {key.id}, shown only now: {value}")
