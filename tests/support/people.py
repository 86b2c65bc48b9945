"""Alice owns, Bob is a member, Vera only views, Charlie is a stranger; each has a key that may do everything."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from hedgerow.accounts import services
from hedgerow.accounts.models import Organization, Project, User


@dataclass
class People:
    """The cast of the tests. `keys` maps a first name in lower case to the value of that person's key."""

    project: Project
    elsewhere: Project
    alice: User
    bob: User
    vera: User
    charlie: User
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def organization(self) -> Organization:
        """The organization of Alice's project."""
        return self.project.organization

    def key(self, user: User, scopes: Sequence[str] = ("*",), projects: Sequence[Project] = ()) -> str:
        """The value of a new key of `user`."""
        return services.create_key(user, "a test", scopes, projects)[1]


@pytest.fixture
def people(db: None) -> People:
    """Everybody, with Alice's project and Charlie's own (`elsewhere`)."""
    users = {
        name: services.create_user(f"{name}@example.com", None, first_name=name.title())
        for name in ("alice", "bob", "vera", "charlie")
    }
    project = services.create_project("Shop", users["alice"])
    elsewhere = services.create_project("Elsewhere", users["charlie"])
    cast = People(project, elsewhere, users["alice"], users["bob"], users["vera"], users["charlie"])
    services.add_member(project, cast.bob, "member")
    services.add_member(project, cast.vera, "viewer")
    cast.keys = {name: cast.key(user) for name, user in users.items()}
    return cast
