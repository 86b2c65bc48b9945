"""Finds connectors by name; imports one on first use.

A connector is a module or package of `hedgerow.connectors.catalog` with a `CONNECTOR`. Its file name is the source
type's name in lower case; the spelling comes from the contract's list (§15), or is the file name with a capital.
"""

import importlib
import pkgutil
from functools import cache
from typing import Any, Final

from hedgerow.connectors.contract import Connector
from hedgerow.connectors.names import ANNOUNCED, LATER
from hedgerow.connectors.spec import Spec, describe

_CATALOG: Final = "hedgerow.connectors.catalog"
_SPELLINGS: Final = {name.lower(): name for name in (*ANNOUNCED, *LATER)}


@cache
def _modules() -> dict[str, str]:
    """Source type name → module of its connector."""
    folder = importlib.import_module(_CATALOG).__path__
    return {_SPELLINGS.get(m.name, m.name.capitalize()): f"{_CATALOG}.{m.name}" for m in pkgutil.iter_modules(folder)}


def names() -> list[str]:
    """Source types that can be connected, in alphabetical order."""
    return sorted(_modules())


def get(name: str) -> Connector:
    """The connector of a source type. KeyError when there is none."""
    connector: Connector = importlib.import_module(_modules()[name]).CONNECTOR
    return connector


def is_known(name: str) -> bool:
    """Whether `name` is a source type of the contract, or of a connector that is here."""
    return name in _modules() or name in ANNOUNCED or name in LATER


def wizard() -> dict[str, dict[str, Any]]:
    """Source type → description (§4.1): connectors that are here first, then the announced ones."""
    here = {name: describe(get(name).spec) for name in names()}
    announced = {
        name: describe(Spec(name=name, label=label if label != name else None, category=category, unreleased=True))
        for name, (label, category) in ANNOUNCED.items()
        if name not in here
    }
    return here | announced
