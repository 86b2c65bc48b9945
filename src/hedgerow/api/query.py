"""/query/: SQL over the tables of a project (api_conventions.md §11)."""

import json
import logging
from http import HTTPStatus
from typing import Any, Final

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.api.bodies import plain
from hedgerow.api.checks import ProjectView
from hedgerow.api.errors import Problem, ThrottledError
from hedgerow.api.fields import AnyField, ObjectField, timestamp
from hedgerow.core.errors import BadRequestError, Cancelled, RateLimitedError
from hedgerow.warehouse import background, query
from hedgerow.warehouse.models import QueryRun
from hedgerow.warehouse.query import Question

log = logging.getLogger(__name__)

_WRAPPERS: Final = ("DataTableNode", "DataVisualizationNode")
_KIND: Final = "HogQLQuery"
_DEEPEST: Final = 5
_LONGEST_NAME: Final = 128


# --- shapes ------------------------------------------------------------------------------------------------------


class SQLSerializer(serializers.Serializer[Any]):
    """The query itself. A `DataTableNode` or `DataVisualizationNode` around it is taken off."""

    kind = serializers.ChoiceField(choices=[_KIND, *_WRAPPERS])
    query = serializers.CharField(required=False, help_text="One SELECT statement.")
    values = serializers.DictField(required=False, help_text="Values of `{placeholder}`s: texts, numbers, lists.")
    name = serializers.CharField(required=False, max_length=_LONGEST_NAME)
    source = serializers.DictField(required=False, help_text="The query inside a node.")  # type: ignore[assignment]


class OptionsSerializer(serializers.Serializer[Any]):
    """What a request may say beside its query."""

    refresh = serializers.ChoiceField(choices=query.REFRESH_MODES, default="blocking")
    client_query_id = serializers.CharField(max_length=200, required=False, allow_null=True)
    name = serializers.CharField(max_length=_LONGEST_NAME, required=False, allow_null=True, allow_blank=True)
    variables_override = ObjectField(required=False, allow_null=True)
    filters_override = ObjectField(required=False, allow_null=True)


class QueryRequestSerializer(OptionsSerializer):
    """A query and how to run it."""

    query = SQLSerializer()


class AnswerSerializer(serializers.Serializer[Any]):
    """An answer. `types` are [name, type] pairs; decimals are texts, so that no digit is lost."""

    results = serializers.ListField(child=serializers.ListField(), allow_null=True)
    columns = serializers.ListField(child=serializers.CharField(), allow_null=True)
    types = serializers.ListField(child=serializers.ListField(child=serializers.CharField()), allow_null=True)
    hasMore = serializers.BooleanField(allow_null=True)  # noqa: N815 - a member of the contract
    limit = serializers.IntegerField(allow_null=True)
    offset = serializers.IntegerField(allow_null=True)
    query = serializers.CharField()
    hogql = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    timings = serializers.ListField()
    is_cached = serializers.BooleanField()
    cache_key = serializers.CharField()
    last_refresh = serializers.DateTimeField(allow_null=True)
    timezone = serializers.CharField()


class StatusSerializer(serializers.Serializer[Any]):
    """How far a query in the background is."""

    id = serializers.CharField()
    team_id = serializers.IntegerField()
    query_async = serializers.BooleanField()
    complete = serializers.BooleanField()
    error = serializers.BooleanField()
    error_message = serializers.CharField(allow_null=True)
    results = AnswerSerializer(allow_null=True)
    start_time = serializers.DateTimeField()
    pickup_time = serializers.DateTimeField(allow_null=True)
    end_time = serializers.DateTimeField(allow_null=True)
    expiration_time = serializers.DateTimeField()
    task_id = serializers.CharField(allow_null=True)
    query_progress = AnyField(allow_null=True)
    labels = serializers.ListField(child=serializers.CharField(), allow_null=True)
    insight_id = serializers.IntegerField(allow_null=True)
    dashboard_id = serializers.IntegerField(allow_null=True)


class StatusAnswerSerializer(serializers.Serializer[Any]):
    """The status of a query in the background."""

    query_status = StatusSerializer()


class MessageSerializer(serializers.Serializer[Any]):
    """What was done."""

    message = serializers.CharField()


def status_to_dict(run: QueryRun) -> dict[str, Any]:
    """The contract's `query_status`."""
    return {
        "id": run.query_id,
        "team_id": run.project_id,
        "query_async": True,
        "complete": run.state not in background.UNDER_WAY,
        "error": run.state in (background.FAILED, background.CANCELLED),
        "error_message": run.error_message or None,
        "results": json.loads(run.results) if run.results else None,
        "start_time": timestamp(run.start_time),
        "pickup_time": timestamp(run.pickup_time),
        "end_time": timestamp(run.end_time),
        "expiration_time": timestamp(run.expiration_time),
        "task_id": None,
        "query_progress": None,
        "labels": None,
        "insight_id": None,
        "dashboard_id": None,
    }


# --- routes ------------------------------------------------------------------------------------------------------


class QueryView(ProjectView):
    """Anyone who may see the project may ask; what can be read is what the person may view."""

    scope_object = "query"
    scopes = {"create": "read", "retrieve": "read", "destroy": "read"}
    limit = "query"
    repeatable = False  # asking twice changes nothing, and answers are too big to keep for repeats

    @extend_schema(
        request=QueryRequestSerializer,
        responses={
            200: AnswerSerializer,
            202: OpenApiResponse(StatusAnswerSerializer, description="It runs in the background."),
        },
    )
    def create(self, request: Request, project_id: str) -> Response:
        """Runs one SELECT over the project's tables: at once, or in the background with an async `refresh`."""
        node = _unwrapped(plain(self.body.get("query")))
        options = OptionsSerializer(data=self.body)
        options.is_valid(raise_exception=True)
        question = Question(
            sql=node["query"],
            values=node.get("values") or {},
            refresh=options.validated_data["refresh"],
            query_id=options.validated_data.get("client_query_id") or "",
        )
        log.info("Query %s", node.get("name") or options.validated_data.get("name") or "without a name")
        prepared = query.prepare(self.actor, question)
        found = query.cached(prepared, question.refresh)
        if found is not None:
            return Response(found)
        if question.in_background:
            return Response({"query_status": status_to_dict(background.start(prepared))}, HTTPStatus.ACCEPTED)
        try:
            return Response(query.run(prepared))
        except RateLimitedError as error:
            raise ThrottledError(error.retry_after) from error
        except Cancelled:
            raise BadRequestError("The query was cancelled.") from None

    @extend_schema(
        responses={
            200: StatusAnswerSerializer,
            202: OpenApiResponse(StatusAnswerSerializer, description="It is not done yet."),
        }
    )
    def retrieve(self, request: Request, project_id: str, id: str) -> Response:
        """The status of a query in the background. One that failed is a failure that carries its status too."""
        run = background.find(self.actor, id)
        body: dict[str, Any] = {"query_status": status_to_dict(run)}
        if run.state in background.UNDER_WAY:
            return Response(body, HTTPStatus.ACCEPTED)
        if run.state == background.COMPLETE:
            return Response(body)
        failure = Problem(400 if run.error_is_users else 500, run.error_message)
        return Response(failure.body(with_message=True) | body, failure.status)

    @extend_schema(responses={200: MessageSerializer})
    def destroy(self, request: Request, project_id: str, id: str) -> Response:
        """Cancels a query, in the background or waited for. One that is unknown or finished is no error."""
        background.cancel(self.actor, id)
        return Response({"message": "Query cancelled."})


def _unwrapped(node: Any) -> dict[str, Any]:
    """The HogQLQuery in a request. Raises ParseError (§11.1) for anything else."""
    for _ in range(_DEEPEST):
        if not isinstance(node, dict):
            break
        if node.get("kind") in _WRAPPERS:
            node = node.get("source")
            continue
        if node.get("kind") != _KIND:
            raise ParseError(f"Unsupported query kind: {node.get('kind')}")
        _check(node)
        return node
    raise ParseError('`query` must be an object like {"kind": "HogQLQuery", "query": "SELECT 1"}.')


def _check(node: dict[str, Any]) -> None:
    if not isinstance(node.get("query"), str):
        raise ParseError("`query.query` must be a text.")
    if not isinstance(node.get("values") or {}, dict):
        raise ParseError("`query.values` must be an object.")
    name = node.get("name")
    if isinstance(name, str) and len(name) > _LONGEST_NAME:
        text = f"Ensure this field has no more than {_LONGEST_NAME} characters."
        raise BadRequestError(text, field="query__name", code="max_length")
