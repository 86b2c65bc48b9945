"""The base of every view: the checks of the contract in their exact order (api_conventions.md §4).

key 401, rate limit 429 (step 1a) → scope 403 → key limits 403 → project 404 → level for the kind of object 403 →
Accept 406, parameters and body 400. Then the view's method runs; it looks up its object (404) and calls
`access.require_object` (403).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework.exceptions import MethodNotAllowed, NotAcceptable
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from hedgerow.accounts import access, keys, places, scopes
from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import Project
from hedgerow.api import auth, idempotency, limits, pages
from hedgerow.api.bodies import FormParser, JSONParser, MultiPartParser
from hedgerow.core.errors import BadRequestError, DeniedError, NotFoundError

NO_SCOPE: Final = ""
_READS: Final = frozenset({"list", "retrieve", "metadata"})
_LEVELS: Final = {"read": "viewer", "write": "editor"}


class ContractView(ViewSet):
    """A view of the contract. Subclasses state what they need; their methods find `actor` and `body`.

    `scope_object`: the first half of the scope. `scopes`: action → "read", "write", a whole scope, or NO_SCOPE;
    list and retrieve are "read", everything else "write" when not named. `closed_to_keys`: actions for signed-in
    people only. `open_to_limited_keys`: actions outside of projects that a key limited to projects may use.
    `limit`: which rate limit counts. `answers_message`: 400 answers carry `message` too. `repeatable`: whether
    Idempotency-Key means anything. For the document: `pages`, whether `list` answers
    the page envelope, and `needs_caller`, whether anybody has to be known.
    """

    scope_object: ClassVar[str]
    scopes: ClassVar[Mapping[str, str]] = {}
    closed_to_keys: ClassVar[Collection[str]] = ()
    open_to_limited_keys: ClassVar[Collection[str]] = ()
    limit: ClassVar[str] = "ordinary"
    answers_message: ClassVar[bool] = False
    repeatable: ClassVar[bool] = True
    needs_caller: ClassVar[bool] = True
    pages: ClassVar[bool] = True

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (JSONRenderer,)
    parser_classes = (JSONParser, FormParser, MultiPartParser)

    actor: Actor
    body: dict[str, Any]
    _claim: idempotency.Claim | None = None
    _limit_headers: Mapping[str, str] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """All checks that need no object, in order; then `body` is ready."""
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        body, failure = self._parse(request)
        self.actor = self.identify(request, body)
        self._count()
        if not self.action:
            raise MethodNotAllowed(request.method or "")
        self._check_scope()
        if any("\x00" in str(part) for name, part in kwargs.items() if name != "project_id"):
            raise NotFoundError  # no id holds what PostgreSQL refuses to compare with
        self.locate()
        self.check_level()
        _check_accept(request.META.get("HTTP_ACCEPT", ""))
        _check_parameters(request)
        self.body = self._object(body, failure)
        self._claim_key(request)

    def identify(self, request: Request, body: object) -> Actor:
        """Who is asking. Raises UnauthenticatedError."""
        return auth.identify(request, body)

    def locate(self) -> None:
        """Key limits and the place addressed (§3.4, §4 steps 3 and 4)."""
        key = self.actor.key
        if key and key.scoped_teams and self.action not in self.open_to_limited_keys:
            raise DeniedError("API keys with scoped projects are only supported on project-based endpoints.")

    def check_level(self) -> None:
        """The caller's level for the kind of object (§4 step 5)."""

    def page(self, rows: "QuerySet[Any] | Sequence[Any]", to_dict: Callable[[Any], dict[str, Any]]) -> Response:
        """200 with one page of `rows`, which must be in total order (§7)."""
        return Response(pages.page(self.request, rows, to_dict))

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """200 with `Allow`."""
        return Response({})

    def handle_exception(self, exc: Exception) -> Response:
        """The envelope; or the first answer of a repeated POST."""
        if isinstance(exc, idempotency.Replay):
            return exc.response
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Adds the limits' headers, and keeps the answer for repeats."""
        finished = super().finalize_response(request, response, *args, **kwargs)
        for name, value in self._limit_headers.items():
            finished.headers.setdefault(name, value)
        if self._claim is not None:
            self._claim.finish(finished)
        return finished

    def needed_scope(self, action: str) -> str:
        """The scope an action needs, or NO_SCOPE."""
        word = self.scopes.get(action, "read" if action in _READS else "write")
        return f"{self.scope_object}:{word}" if word in _LEVELS else word

    def _parse(self, request: Request) -> tuple[Any, Exception | None]:
        """The parsed body, or what is wrong with it: told only after the checks that come first."""
        try:
            return request.data, None
        except Exception as error:
            return None, error

    def _count(self) -> None:
        if self.actor.key is not None:
            self._limit_headers = limits.count(self.limit, f"key {self.actor.key.pk}")
            keys.used(self.actor.key)

    def _check_scope(self) -> None:
        if self.actor.key is None:
            return
        if self.action in self.closed_to_keys:
            raise DeniedError("This action does not support Personal API Key access")
        needed = self.needed_scope(self.action)
        if needed and not scopes.allows(self.actor.key.scopes, needed):
            raise DeniedError(f"API key missing required scope '{needed}'")

    def _object(self, body: Any, failure: Exception | None) -> dict[str, Any]:
        """The body as an object, without the key. Bodies of GET and DELETE mean nothing."""
        if self.request.method not in ("POST", "PUT", "PATCH"):
            return {}
        if failure is not None:
            raise failure
        if not isinstance(body, Mapping):
            raise BadRequestError(f"Invalid data. Expected a dictionary, but got {type(body).__name__}.")
        return {name: value for name, value in body.items() if name != pages.KEY_PARAMETER}

    def _claim_key(self, request: Request) -> None:
        sent = request.headers.get("Idempotency-Key", "")
        if sent and request.method == "POST" and self.repeatable:
            places_named = {**self.kwargs, "project_id": self.actor.project.pk if self.actor.project else None}
            route = f"{type(self).__name__}.{self.action} {sorted(places_named.items(), key=str)}"
            self._claim = idempotency.claim(sent, self.actor.user.pk, route, self.body)


class ProjectView(ContractView):
    """A view below /api/{environments|projects}/:project_id/. Finds `project` too.

    `resource`: the kind of object whose levels count, or None. `levels`: action → level where it is not the
    scope's (read → viewer, write → editor). Routes that address an object have `id` in their path.
    """

    resource: ClassVar[str | None] = None
    levels: ClassVar[Mapping[str, str]] = {}
    answers_message: ClassVar[bool] = True
    project: Project

    def locate(self) -> None:
        self.actor = places.enter_project(self.actor, str(self.kwargs["project_id"]))
        project = self.actor.project
        if project is not None:
            self.project = project

    def check_level(self) -> None:
        if self.resource is None or self.action == "metadata":
            return
        level = self.levels.get(self.action) or _LEVELS[self.needed_scope(self.action).partition(":")[2]]
        single = "id" in self.kwargs
        try:
            check = access.require_some if single or self.action == "list" else access.require
            check(self.actor, self.resource, level)
        except DeniedError:
            if not (single and self.created_by_caller()):
                raise

    def created_by_caller(self) -> bool:
        """Whether the object addressed is the caller's own. Asked only when the level for its kind is too low."""
        return False


def _check_accept(header: str) -> None:
    """Raises NotAcceptable when JSON is refused outright (`q=0`); any other Accept gets JSON."""
    refused: dict[str, bool] = {}
    for part in header.split(","):
        media_type, _, parameters = part.partition(";")
        weight = parameters.replace(" ", "").lower().rpartition("q=")[2] if "q=" in parameters.lower() else "1"
        refused[media_type.strip().lower()] = weight.startswith("0") and not weight.strip("0.")
    named = [kind for kind in ("application/json", "application/*", "*/*") if kind in refused]
    if named and refused[named[0]]:
        raise NotAcceptable


def _check_parameters(request: Request) -> None:
    """No database takes NUL characters; no parameter of the contract can mean one (§14.14)."""
    for name, value in request.query_params.items():
        if "\x00" in name or "\x00" in str(value):
            raise BadRequestError("Null characters are not allowed.", field=None if "\x00" in name else name)
