"""`hedgerow files …` against a real server, as a person and as a script use it."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from hedgerow.cli.main import main
from tests.cli.conftest import Outcome
from tests.support.server import Server

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


class Shell:
    """Runs `hedgerow files` with the server's key in the environment."""

    def __init__(self, server: Server) -> None:
        self.environment = {"HEDGEROW_SERVER_URL": server.address, "HEDGEROW_API_KEY": server.key}

    def __call__(self, *words: str, code: int = 0, **environment: str) -> Outcome:
        done = CliRunner().invoke(main, ["files", *words], env={**self.environment, **environment})
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return Outcome(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def files(server: Server) -> Shell:
    """In a tree that is empty."""
    shell = Shell(server)
    for entry in shell("ls", "--json").data["results"]:
        shell("rm", "-r", entry["id"])
    return shell


def test_a_tree_is_made_listed_moved_linked_searched_and_removed(files: Shell) -> None:
    assert files("mkdir", "Team/Plans", r"R\/D").out == "Team/Plans/\nR\\/D/\n"
    assert files("ls").out == "R\\/D/\nTeam/\n"
    assert files("ls", "Team").out == "Team/Plans/\n"
    assert files("ls", "-r", "Team/").out == "Team/Plans/\n"
    moved = files("mv", "Team", "Old/Team", "--json").data
    assert (moved["path"], moved["depth"]) == ("Old/Team", 2)
    assert files("ln", moved["id"], "Link").out == "Link@\n"
    assert files("find", "name:plans", "path:old").out == "Old/Team/Plans/\n"
    assert files("find", "--json", "--", "-name:plans", "type:folder").data["results"][0]["path"] == "Link"
    assert files("rm", "Link/Plans").out == "Deleted Link/Plans\n"
    refused = files("rm", "Old", code=1)
    assert "Why:  The folder holds 2 entries." in refused.err
    assert "-r" in refused.err
    assert files("rm", "-r", "Old", "--json").data["deleted"] == []
    assert files("ls", "--json", "-r").data == {"results": json.loads(files("find", "", "--json").out)["results"]}


def test_several_entries_of_one_path_are_told_apart_by_id(files: Shell, server: Server) -> None:
    for type in ("doc", "note"):
        server.api("POST", "file_system/", {"path": "Same", "type": type})
    refused = files("mv", "Same", "Other", code=1)
    assert "Several entries have this path" in refused.err
    ids = [entry["id"] for entry in files("ls", "--json").data["results"]]
    assert all(id in refused.err for id in ids)
    assert files("mv", ids[0], "Other").out == "Other  doc\n"
    assert files("rm", "Same").out == "Deleted Same\n"


def test_a_data_source_goes_with_its_entry_and_that_is_said(files: Shell, server: Server) -> None:
    tables = [{"name": "orders", "should_sync": False}]
    source = server.api("POST", "external_data_sources/", {"source_type": "Demo", "payload": {"schemas": tables}})
    done = files("rm", "Unfiled/Data sources/Demo")
    assert f"external_data_source {source['id']} at Unfiled/Data sources/Demo: cannot be brought back" in done.out
    assert server.api("GET", "external_data_sources/")["count"] == 0


def test_long_lists_are_read_page_by_page(files: Shell, server: Server) -> None:
    files("mkdir", *(f"Many/{number:04}" for number in range(30)))
    from hedgerow.client import http

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "PAGE", 7)
        assert len(files("ls", "Many").out.splitlines()) == 30


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("ls", "nowhere"), "There is no folder nowhere."),
        (("mv", "nowhere", "x"), "There is no entry nowhere."),
        (("rm", "00000000-0000-7000-8000-000000000000"), "Not found."),
        (("mkdir", "//"), "The path has no name in it."),
        (("--project", "99", "ls"), "Project not found."),
        (("--key", "phx_wrong", "ls"), "Personal API key found in request Authorization header is invalid."),
        (("--server", "http://127.0.0.1:9", "ls"), "The server at http://127.0.0.1:9 does not answer"),
    ],
)
def test_a_failure_is_told_in_plain_words(files: Shell, words: tuple[str, ...], text: str) -> None:
    failed = files(*words, code=1)
    assert failed.out == ""
    assert text in failed.err
    assert "Do:   " in failed.err


def test_without_a_key_nothing_is_asked(files: Shell) -> None:
    failed = files("ls", code=1, HEDGEROW_API_KEY="")
    assert "No API key was given." in failed.err
    assert "HEDGEROW_API_KEY" in failed.err
