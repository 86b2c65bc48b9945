"""The order of checks, walked over every route there is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from hedgerow.accounts.models import AccessRule, Membership, User
from hedgerow.api.checks import ContractView, ProjectView
from tests.api.conftest import Caller, envelope
from tests.support.people import People

NOBODY = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Route:
    """One method of one address, as the server has it."""

    method: str
    template: str
    view: type[ContractView]
    action: str

    def path(self, project_id: object) -> str:
        """The address, with ids that name nothing."""
        filled = self.template.replace("<project_id>", str(project_id))
        return re.sub(r"<[a-z_:]+>", NOBODY, filled)

    @property
    def scope(self) -> str:
        return self.view().needed_scope(self.action)

    @property
    def in_project(self) -> bool:
        return issubclass(self.view, ProjectView)

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


def walk(patterns: list[URLPattern | URLResolver], before: str = "/") -> Iterator[Route]:
    for entry in patterns:
        template = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, template)
            continue
        actions = getattr(entry.callback, "actions", None) or {}
        for method, action in actions.items():
            if method != "head":
                yield Route(method.upper(), template, entry.callback.cls, action)  # type: ignore[attr-defined]


ROUTES = list(walk(get_resolver().url_patterns))
KEYED = [route for route in ROUTES if route.view.needs_caller]
IN_PROJECT = [route for route in KEYED if route.in_project]
LEVELLED = [route for route in IN_PROJECT if issubclass(route.view, ProjectView) and route.view.resource]
SCOPED = [route for route in KEYED if route.scope and route.action not in route.view.closed_to_keys]


def ids(route: Route) -> str:
    return str(route)


@pytest.mark.parametrize("route", KEYED, ids=ids)
def test_without_key_every_route_answers_401(route: Route, people: People, api: type[Caller]) -> None:
    answer = api().send(route.method, route.path(people.project.pk), "not JSON")
    assert envelope(answer) == (401, "not_authenticated", "Authentication credentials were not provided.", None)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", SCOPED, ids=ids)
def test_a_missing_scope_is_named_before_anything_else(route: Route, people: People, api: type[Caller]) -> None:
    caller = api(people.key(people.charlie, ["webhook:write"]))
    text = f"API key missing required scope '{route.scope}'"
    assert envelope(caller.send(route.method, route.path(people.project.pk), "{")) == (
        403,
        "permission_denied",
        text,
        None,
    )


@pytest.mark.parametrize("route", [r for r in SCOPED if r.scope.endswith(":write")], ids=ids)
def test_read_is_never_enough_for_write(route: Route, people: People, api: type[Caller]) -> None:
    caller = api(people.key(people.alice, [route.scope.replace(":write", ":read")]))
    answer = caller.send(route.method, route.path(people.project.pk))
    assert envelope(answer)[:3] == (403, "permission_denied", f"API key missing required scope '{route.scope}'")


@pytest.mark.parametrize("route", [r for r in KEYED if r.action in r.view.closed_to_keys], ids=ids)
def test_closed_routes_refuse_even_a_key_that_may_do_everything(route: Route, alice: Caller) -> None:
    answer = alice.send(route.method, route.path(1))
    text = "This action does not support Personal API Key access"
    assert envelope(answer) == (403, "permission_denied", text, None)


@pytest.mark.parametrize("route", IN_PROJECT, ids=ids)
def test_a_stranger_cannot_tell_a_project_from_none(route: Route, people: People, charlie: Caller) -> None:
    answers = {
        envelope(charlie.send(route.method, route.path(project), "{")) for project in (people.project.pk, 999_999)
    }
    assert answers == {(404, "not_found", "Project not found.", None)}


@pytest.mark.parametrize("route", IN_PROJECT, ids=ids)
def test_a_key_for_another_project_is_told_so(route: Route, people: People, api: type[Caller]) -> None:
    caller = api(people.key(people.charlie, projects=[people.elsewhere]))
    text = f"API key does not have access to the requested project: ID {people.project.pk}."
    assert envelope(caller.send(route.method, route.path(people.project.pk))) == (403, "permission_denied", text, None)


@pytest.mark.parametrize(
    "route", [r for r in KEYED if not r.in_project and r.action not in r.view.closed_to_keys], ids=ids
)
def test_a_key_for_projects_is_for_projects_only(route: Route, people: People, api: type[Caller]) -> None:
    caller = api(people.key(people.alice, projects=[people.project]))
    status, _, text, _ = envelope_or_ok(caller.send(route.method, route.path(1)))
    if route.action in route.view.open_to_limited_keys:
        assert status in (200, 404)
    else:
        assert (status, text) == (
            403,
            "API keys with scoped projects are only supported on project-based endpoints.",
        )


def envelope_or_ok(answer: Any) -> tuple[int, str, str, str | None]:
    return (200, "", "", None) if answer.status_code == 200 else envelope(answer)


@pytest.mark.parametrize(
    "route",
    [
        r
        for r in LEVELLED
        if r.scope.endswith(":write")
        and r.scope.split(":")[0] != "access_control"
        and (not issubclass(r.view, ProjectView) or r.view.levels.get(r.action) != "viewer")
    ],
    ids=ids,
)
def test_a_viewer_is_refused_before_the_body_is_read(route: Route, people: People, vera: Caller) -> None:
    answer = vera.send(route.method, route.path(people.project.pk), "not JSON")
    assert envelope(answer)[:3] == (403, "permission_denied", "You do not have editor access to this resource.")


@pytest.mark.parametrize("route", LEVELLED, ids=ids)
def test_a_member_with_no_level_at_all_is_refused(route: Route, people: People, vera: Caller) -> None:
    AccessRule.objects.filter(membership__user=people.vera).update(level="none")
    status, _, text, _ = envelope(vera.send(route.method, route.path(people.project.pk)))
    assert status == 403
    assert re.fullmatch("You do not have (viewer|editor) access to this resource.", text)


@pytest.mark.parametrize(
    "route",
    [r for r in ROUTES if r.method in ("POST", "PUT", "PATCH") and r.action not in r.view.closed_to_keys],
    ids=ids,
)
def test_a_malformed_body_is_reported_last(route: Route, people: People, alice: Caller) -> None:
    path = route.path(people.project.pk).replace(f"/organizations/{NOBODY}", f"/organizations/{people.organization.pk}")
    answer = alice.send(route.method, path, '{"a": ')
    status, code, text, attr = envelope(answer)
    assert (status, code, attr) == (400, "parse_error", None)
    assert text.startswith("JSON parse error - ")
    assert answer.json()["type"] == "invalid_request"


@pytest.mark.parametrize("route", ROUTES, ids=ids)
def test_the_slash_is_optional_and_both_prefixes_are_the_same(route: Route, people: People, api: type[Caller]) -> None:
    path = route.path(people.project.pk)
    answers = {api().send(route.method, each).content for each in (path, path.rstrip("/"))}
    assert len(answers) == 1
    if route.in_project:
        other = path.replace("/environments/", "/projects/")
        assert api().send(route.method, other).content in answers
        assert route.template.replace("/environments/", "/projects/") in {r.template for r in ROUTES}


def test_project_routes_exist_below_both_prefixes() -> None:
    below = {
        prefix: {
            (r.method, r.template.removeprefix(f"/api/{prefix}/")) for r in IN_PROJECT if f"/{prefix}/" in r.template
        }
        for prefix in ("environments", "projects")
    }
    assert below["environments"] == below["projects"] != set()


@pytest.mark.parametrize("prefix", ["environments", "projects"])
@pytest.mark.parametrize("written", ["0", "-1", "1e3", "１２", "12.0", "9" * 30, "abc", "%00", "@nobody", "1 2"])
def test_what_is_no_project_id_is_not_found(alice: Caller, prefix: str, written: str) -> None:
    assert envelope(alice.get(f"/api/{prefix}/{written}/")) == (404, "not_found", "Project not found.", None)


def test_an_id_may_have_leading_zeros(people: People, alice: Caller) -> None:
    assert alice.get(f"/api/projects/000{people.project.pk}").json()["id"] == people.project.pk


def test_current_is_the_owners_project_or_that_of_the_key(people: People, api: type[Caller]) -> None:
    for user in (people.alice, people.bob):
        assert api(people.key(user)).get("/api/projects/@current").json()["id"] == people.project.pk
    limited = api(people.key(people.alice, projects=[people.project]))
    User.objects.filter(pk=people.alice.pk).update(current_project=None)
    assert limited.get("/api/environments/@current/").json()["id"] == people.project.pk


def test_current_without_any_project_is_not_found(people: People, api: type[Caller]) -> None:
    Membership.objects.filter(user=people.bob).delete()
    User.objects.filter(pk=people.bob.pk).update(current_project=people.project)
    answer = api(people.keys["bob"]).get("/api/projects/@current/")
    assert envelope(answer) == (404, "not_found", "Project not found.", None)


def test_a_removed_member_finds_nothing_on_the_next_request(people: People, bob: Caller, base: str) -> None:
    assert bob.get(base).status_code == 200
    Membership.objects.filter(user=people.bob).delete()
    assert envelope(bob.get(base)) == (404, "not_found", "Project not found.", None)


def test_a_member_whose_project_level_is_none_does_not_see_it(people: People, bob: Caller, base: str) -> None:
    membership = Membership.objects.get(user=people.bob)
    AccessRule.objects.create(
        project=people.project,
        resource="project",
        object_id=str(people.project.pk),
        membership=membership,
        level="none",
    )
    assert envelope(bob.get(base)) == (404, "not_found", "Project not found.", None)
    assert bob.get("/api/projects/").json()["results"] == []
    assert envelope(bob.get("/api/projects/@current")) == (404, "not_found", "Project not found.", None)


def test_a_key_for_another_organization_is_told_its_id(people: People, api: type[Caller], base: str) -> None:
    organization = people.organization
    key = people.key(people.alice)
    other = "0194c0de-0000-7000-8000-000000000001"
    people.alice.api_keys.update(scoped_organizations=[other])
    text = f"API key does not have access to the requested organization: ID {organization.pk}."
    assert envelope(api(key).get(base)) == (403, "permission_denied", text, None)
    assert envelope(api(key).get(f"/api/projects/{people.elsewhere.pk}"))[0] == 404, "ids of strangers stay hidden"


def test_an_organization_can_forbid_keys_to_plain_members(
    people: People, alice: Caller, bob: Caller, base: str
) -> None:
    organization = people.organization
    organization.members_can_use_personal_api_keys = False
    organization.save()
    text = (
        "Organization 'Shop' does not allow using personal API keys. "
        "Contact an admin to enable personal API keys for this organization."
    )
    assert envelope(bob.get(base)) == (403, "permission_denied", text, None)
    assert alice.get(base).status_code == 200
    assert bob.get("/api/projects/").json()["count"] == 0


def test_another_method_is_405_with_what_is_allowed(people: People, alice: Caller, base: str) -> None:
    answer = alice.send("DELETE", base)
    assert envelope(answer) == (405, "method_not_allowed", 'Method "DELETE" not allowed.', None)
    assert answer.json()["type"] == "invalid_request"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "PATCH", "HEAD", "OPTIONS"}


def test_head_and_options_work_where_get_does(alice: Caller, base: str) -> None:
    head = alice.send("HEAD", base)
    assert (head.status_code, head.content) == (200, b"")
    options = alice.send("OPTIONS", base)
    assert options.status_code == 200
    assert "GET" in options.headers["Allow"]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("", 200),
        ("text/html", 200),
        ("text/csv;q=0.5", 200),
        ("*/*", 200),
        ("application/json;q=0", 406),
        ("*/*;q=0", 406),
        ("*/*;q=0, application/json", 200),
        ("application/json; q=0.0, */*", 406),
        ("text/html, */*;q=0.01", 200),
    ],
)
def test_only_refusing_json_outright_is_406(alice: Caller, base: str, accept: str, status: int) -> None:
    answer = alice.get(base, headers={"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        assert envelope(answer)[1:3] == ("not_acceptable", "Could not satisfy the request Accept header.")


def test_a_request_costs_a_small_fixed_number_of_statements(
    people: People, bob: Caller, base: str, django_assert_num_queries: Any
) -> None:
    bob.get(base)  # notes the use of the key
    for _ in range(3):
        with django_assert_num_queries(4):  # key and owner, membership, project, rules
            bob.get(base)
