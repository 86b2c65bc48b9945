"""The OpenAPI document, generated from the views, and the page that shows it (api_conventions.md §13)."""

import json
import mimetypes
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import yaml
from django.http import Http404, HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import is_list_serializer

from hedgerow.api.checks import ContractView
from hedgerow.api.fields import ErrorSerializer
from hedgerow.api.pages import DEFAULT, MOST

_FAILURES: Final = {
    "400": "The request has to be changed.",
    "401": "No key, or one that is not valid.",
    "403": "The key or its owner may not do this.",
    "404": "There is no such thing in this project.",
    "429": "A rate limit is used up; see Retry-After.",
    "default": "Any other failure.",
}
_PARAMETERS: Final = {
    "project_id": "Id of the project, or `@current`.",
    "organization_id": "UUID or slug of the organization, or `@current`.",
}
_BUNDLE: Final = "static/drf_spectacular_sidecar/swagger-ui-dist"
_FILES: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Hedgerow API</title>
<link rel="icon" href="/api/schema/swagger-ui/favicon-32x32.png">
<link rel="stylesheet" href="/api/schema/swagger-ui/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/schema/swagger-ui/swagger-ui-bundle.js"></script>
<script src="/api/schema/swagger-ui/start.js"></script>
</body>
</html>
"""
_START: Final = """SwaggerUIBundle({
  url: "/api/schema/?format=json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null
});
"""


class ContractSchema(AutoSchema):
    """How one route appears in the document: its operation id, scope, parameters, and the envelope of failures."""

    @property
    def contract_view(self) -> ContractView:
        """The view, as what every view of the contract is."""
        assert isinstance(self.view, ContractView)  # noqa: S101 - narrows the framework's type
        return self.view

    def is_excluded(self) -> bool:
        """Routes below /api/projects/ are the same operations as those below /api/environments/ (§13.1)."""
        return self.path.startswith("/api/projects/")

    def get_operation_id(self) -> str:
        tokens = [token.removeprefix("@").replace("-", "_") for token in self._tokenize_path()]
        verb = "list" if self._is_list() else self.method_mapping[self.method.lower()]
        return "_".join([*tokens, verb])

    def get_tags(self) -> list[str]:
        tokens = self._tokenize_path()
        return tokens[1:2] if len(tokens) > 1 and tokens[0] == "environments" else tokens[:1]

    def get_auth(self) -> list[dict[str, Any]]:
        view, action = self.contract_view, self.contract_view.action
        if not view.needs_caller:
            return []
        session: dict[str, Any] = {"Session": [], "CSRFToken": []} if self.method != "GET" else {"Session": []}
        return [session] if action in view.closed_to_keys else [{"PersonalAPIKey": []}, session]

    def get_description(self) -> str:  # type: ignore[override]  # the framework's own override differs too
        scope, text = self._scope(), super().get_description()
        return f"{text}\n\nScope: `{scope}`." if scope else text

    def get_extensions(self) -> dict[str, Any]:
        scope = self._scope()
        return {"x-scopes": [scope]} if scope else {}

    def _scope(self) -> str:
        view, action = self.contract_view, str(self.contract_view.action)
        return "" if action in view.closed_to_keys else view.needed_scope(action)

    def _is_list(self) -> bool:
        return self.method == "GET" and self.contract_view.action == "list"

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Whether an array is answered: only where the view says `many=True`."""
        return is_list_serializer(self.get_response_serializers() if serializer is None else serializer)

    def _get_paginator(self) -> Any:
        return DocumentedPage() if self._is_list() and self.contract_view.pages else None

    def _get_pagination_parameters(self) -> list[dict[str, Any]]:
        return DocumentedPage.parameters() if self._get_paginator() else []

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "in": "path",
                "name": name,
                "schema": {"type": "string"},
                "required": True,
                "description": _PARAMETERS.get(name, ""),
            }
            for name in variables
        ]

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        envelope = self.resolve_serializer(ErrorSerializer, "response").ref
        content = {"application/json": {"schema": envelope}}
        return bodies | {code: {"description": text, "content": content} for code, text in _FAILURES.items()}


class DocumentedPage:
    """The page envelope as the document's generator wants to hear of it."""

    @staticmethod
    def parameters() -> list[dict[str, Any]]:
        """`limit` and `offset`."""
        limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT}
        return [
            {"name": "limit", "in": "query", "schema": limit, "description": "Results per page."},
            {
                "name": "offset",
                "in": "query",
                "schema": {"type": "integer", "minimum": 0, "default": 0},
                "description": "Where the page begins.",
            },
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The envelope around a list of `schema`."""
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["count", "next", "previous", "results"],
            "properties": {"count": {"type": "integer"}, "next": link, "previous": link, "results": schema},
        }


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The whole document; it cannot change while the process lives."""
    generator: Any = SchemaGenerator
    made: dict[str, Any] = generator().get_schema(request=None, public=True)
    return made


@lru_cache(maxsize=2)
def _written(as_json: bool) -> bytes:
    if as_json:
        return json.dumps(document()).encode()
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as fast where the library was built with it
    return str(yaml.dump(document(), Dumper=dumper, sort_keys=False, allow_unicode=True)).encode()


def show(request: HttpRequest) -> HttpResponse:
    """GET /api/schema/: JSON when asked for, else YAML."""
    wanted = request.GET.get("format", "")
    as_json = wanted == "json" or (not wanted and "application/json" in request.headers.get("Accept", ""))
    kind = "application/vnd.oai.openapi+json" if as_json else "application/vnd.oai.openapi"
    return HttpResponse(_written(as_json), content_type=f"{kind}; charset=utf-8")


def swagger(request: HttpRequest) -> HttpResponse:
    """GET /api/schema/swagger-ui/: the document to read and try, without outside resources."""
    return HttpResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


def swagger_file(request: HttpRequest, name: str) -> HttpResponse:
    """The page's script and style, out of the installed package."""
    if name == "start.js":
        return HttpResponse(_START, content_type="text/javascript")
    if name not in _FILES:
        raise Http404
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return HttpResponse(_bundled(name), content_type=kind, headers={"Cache-Control": "public, max-age=3600"})


@lru_cache(maxsize=len(_FILES))
def _bundled(name: str) -> bytes:
    spec = find_spec("drf_spectacular_sidecar")
    if spec is None or spec.origin is None:
        raise Http404
    return (Path(spec.origin).parent / _BUNDLE / name).read_bytes()
