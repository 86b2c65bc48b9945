"""What nothing uses is deleted: dead code is read, kept working and believed for nothing.

Only functions, methods and classes count. Decorated ones are used by what decorates them; the names below are called
by the frameworks we subclass, by name or by convention.
"""

import re

import vulture

from tests.house.pages import PACKAGE

CALLED_BY_FRAMEWORKS = re.compile(
    r"""
    Meta | [A-Z]\w*Config | ready                                    # Django: models and apps
    | bad_request | forbidden | not_found | Outermost | CrossOrigin  # Django: named in settings and urls
    | initial | to_representation | validate_\w+ | ContractSchema    # Django REST framework
    | is_excluded | _?get_\w+ | _is_list_view | _resolve_path_parameters  # drf-spectacular
    | Parser                                                         # sqlglot: part of a dialect
    | redirect_request                                               # urllib: asked at every redirect
    | as_sql(ite)? | as_postgresql | db_parameters                   # Django: how expressions and fields are written
    | follow                                                         # files.objects: for objects that can be renamed
    """,
    re.VERBOSE,
)


def test_everything_is_used() -> None:
    scan = vulture.Vulture(ignore_decorators=["@*"])
    scan.scavenge([str(PACKAGE)])

    unused = [
        f"{item.filename.relative_to(PACKAGE)}:{item.first_lineno} {item.name}"
        for item in scan.get_unused_code(min_confidence=60)
        if item.typ in ("function", "method", "class", "property") and not CALLED_BY_FRAMEWORKS.fullmatch(item.name)
    ]

    assert unused == []
