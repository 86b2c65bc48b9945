"""What the scopes of a key cover."""

import pytest

from hedgerow.accounts import scopes
from hedgerow.core.errors import BadRequestError


@pytest.mark.parametrize(
    ("held", "needed", "covered"),
    [
        (["export:read"], "export:read", True),
        (["export:write"], "export:read", True),
        (["export:read"], "export:write", False),
        (["*"], "export:write", True),
        (["export:write", "query:read"], "query:write", False),
        (["exports:write"], "export:read", False),
        ([], "export:read", False),
    ],
)
def test_write_includes_read_and_the_star_everything(held: list[str], needed: str, covered: bool) -> None:
    assert scopes.allows(held, needed) is covered


@pytest.mark.parametrize("scope", ["*", "external_data_source:write", "feature_flag:read", "webhook:write"])
def test_known_scopes_are_accepted(scope: str) -> None:
    scopes.check([scope])


@pytest.mark.parametrize("scope", ["insight:fly", "insight", "insight:", ":read", "nothing:read", "", "*:read"])
def test_unknown_scopes_are_named(scope: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        scopes.check(["query:read", scope])
    assert (caught.value.message, caught.value.field) == (f"Invalid scope: {scope}", "scopes")
