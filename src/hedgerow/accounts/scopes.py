"""What a key may do: `<object>:<action>`, or `*` (api_conventions.md §3)."""

from collections.abc import Iterable
from typing import Final

from hedgerow.core.errors import BadRequestError

_USED: Final = """
    access_control activity_log dashboard export external_data_source file_system file_system_shortcut insight
    organization organization_member project query sharing_configuration user warehouse_table warehouse_view
"""
_ACCEPTED: Final = """
    action annotation batch_export cohort error_tracking event_definition experiment feature_flag group hog_function
    notebook person plugin property_definition session_recording session_recording_playlist subscription survey webhook
"""
OBJECTS: Final = frozenset(f"{_USED} {_ACCEPTED}".split())  # the second half is accepted though nothing uses it
EVERYTHING: Final = "*"


def allows(held: Iterable[str], needed: str) -> bool:
    """Whether the scopes held cover the one needed: write includes read, `*` includes everything."""
    weakest, _, action = needed.partition(":")
    sufficient = {EVERYTHING, needed} | ({f"{weakest}:write"} if action == "read" else set())
    return not sufficient.isdisjoint(held)


def check(scopes: Iterable[str]) -> None:
    """Raises BadRequestError on `scopes` for the first scope that does not exist (§3.1)."""
    for scope in scopes:
        name, _, action = scope.partition(":")
        if scope != EVERYTHING and (name not in OBJECTS or action not in ("read", "write")):
            raise BadRequestError(f"Invalid scope: {scope}", field="scopes")
