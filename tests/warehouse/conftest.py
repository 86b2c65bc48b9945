"""Real tables in the test installation's own storage, and its real query processes."""

from collections.abc import Callable

import pytest
from django.conf import settings

from hedgerow.accounts import places
from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Project, User
from hedgerow.lake.storage import Storage
from hedgerow.warehouse import query


@pytest.fixture
def storage() -> Storage:
    return Storage(settings.CONFIG.storage)


@pytest.fixture(autouse=True)
def _nothing_cached() -> None:
    query.answers.clear()


@pytest.fixture
def acting() -> Callable[[User, Project], Actor]:
    """`acting(user, project)`: that person in that project."""
    return lambda user, project: places.enter_project(Actor(user), str(project.pk))
