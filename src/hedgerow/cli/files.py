"""`hedgerow files …`: the project's tree from the command line, over the API."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from hedgerow.cli.installation import settings
from hedgerow.cli.output import doing, json_option, show
from hedgerow.client.http import Client
from hedgerow.core.errors import BadRequestError, NotFoundError
from hedgerow.core.ids import parse_uuid

F = TypeVar("F", bound=Callable[..., Any])
TREE: Final = "file_system/"
FOLDER: Final = "folder"


@dataclass
class _Given:
    """What was said before the name of the command."""

    server: str | None = None
    key: str | None = None
    project: str | None = None


def _client(context: click.Context) -> Client:
    """From the options, else from the settings. Raises BadRequestError without a key."""
    given, config = context.find_object(_Given) or _Given(), settings(make=False)
    key = given.key or config.api_key
    if not key:
        raise BadRequestError(
            "No API key was given.", hint="Set HEDGEROW_API_KEY, or name one with --key; the first start prints one."
        )
    return Client(given.server or config.server_url, key, given.project or config.project)


@click.group()
@click.option("--server", help="Address of the server instead of HEDGEROW_SERVER_URL.")
@click.option("--key", help="API key instead of HEDGEROW_API_KEY. Other users of this machine can see it here.")
@click.option("--project", help="Id of the project instead of HEDGEROW_PROJECT.")
@json_option
@click.pass_context
def files(context: click.Context, server: str | None, key: str | None, project: str | None) -> None:
    """Browse and rearrange a project's tree.

    Paths are complete, from the root: `Marketing/Launch`. A slash inside a name is written `\\/`. Where a path may
    stand for several entries, name the id instead; `ls --json` shows it.
    """
    context.obj = _Given(server, key, project)


@files.command()
@click.argument("path", default="")
@click.option("-r", "--recursive", is_flag=True, help="Everything below, not only what lies right in it.")
@json_option
@click.pass_context
def ls(context: click.Context, path: str, recursive: bool) -> None:
    """List the folder PATH, or the root."""
    with doing("The folder was not listed.", path):
        client = _client(context)
        query: dict[str, Any] = {"parent": path}
        if path:
            folder = _one(client, path, FOLDER)
            query["parent"] = folder["path"]
        if not recursive:
            query["depth"] = folder["depth"] + 1 if path else 1
        _show_all(list(client.every(TREE, **query)))


@files.command()
@click.argument("words", nargs=-1, required=True)
@json_option
@click.pass_context
def find(context: click.Context, words: tuple[str, ...]) -> None:
    """Search: WORDS such as `name:report -type:folder user:me`. Put `--` before one that begins with a hyphen."""
    with doing("Nothing was searched.", " ".join(words)):
        _show_all(list(_client(context).every(TREE, search=" ".join(words))))


@files.command()
@click.argument("paths", nargs=-1, required=True)
@json_option
@click.pass_context
def mkdir(context: click.Context, paths: tuple[str, ...]) -> None:
    """Make the folders PATHS, and those on the way. A folder that is there already is left as it is."""
    with doing("The folders were not all made.", ", ".join(paths)):
        client = _client(context)
        _show_all([client.ask("POST", TREE, {"path": path, "type": FOLDER}) for path in paths])


@files.command()
@click.argument("entry")
@click.argument("new_path")
@json_option
@click.pass_context
def mv(context: click.Context, entry: str, new_path: str) -> None:
    """Move ENTRY (a path or an id) to NEW_PATH, its complete new path; a folder with all that is below it."""
    with doing("The entry was not moved.", entry):
        client = _client(context)
        _show_one(client.ask("POST", f"{TREE}{_one(client, entry)['id']}/move/", {"new_path": new_path}))


@files.command()
@click.argument("entry")
@click.argument("new_path")
@json_option
@click.pass_context
def ln(context: click.Context, entry: str, new_path: str) -> None:
    """Make a second entry at NEW_PATH for what ENTRY (a path or an id) stands for."""
    with doing("The link was not made.", entry):
        client = _client(context)
        _show_one(client.ask("POST", f"{TREE}{_one(client, entry)['id']}/link/", {"new_path": new_path}))


@files.command()
@click.argument("entry")
@click.option("-r", "--recursive", is_flag=True, help="Also a folder that is not empty.")
@json_option
@click.pass_context
def rm(context: click.Context, entry: str, recursive: bool) -> None:
    """Delete ENTRY (a path or an id) and the object it stands for: a data source with its tables, say.

    A link goes alone. What went is shown, and whether it can be brought back.
    """
    with doing("The entry was not deleted.", entry):
        client = _client(context)
        found = _one(client, entry)
        if found["type"] == FOLDER and not recursive:
            below = client.ask("POST", f"{TREE}{found['id']}/count/")["count"]
            if below:
                raise BadRequestError(f"The folder holds {below} entries.", hint="Say -r to delete them too.")
        answer = client.ask("DELETE", f"{TREE}{found['id']}/") or {"deleted": []}
        lines = [f"Deleted {found['path']}"]
        for each in answer["deleted"]:
            undo = "can be brought back" if each["can_undo"] else "cannot be brought back"
            lines.append(f"  {each['type']} {each['ref']} at {each['path']}: {undo}")
        show({"entry": found, **answer}, "\n".join(lines))


def _one(client: Client, entry: str, type: str | None = None) -> dict[str, Any]:
    """The entry with this id or path. Raises NotFoundError; BadRequestError when several have the path."""
    if parse_uuid(entry):
        found: dict[str, Any] = client.ask("GET", f"{TREE}{entry}/")
        return found
    query = {"path": entry, **({"type": type} if type else {})}
    several = list(client.every(TREE, **query)) if entry.strip() else []
    if not several:
        raise NotFoundError(f"There is no {type or 'entry'} {entry}.", hint="`hedgerow files ls` lists what there is.")
    if len(several) > 1:
        ids = ", ".join(f"{each['id']} ({each['type'] or 'no type'})" for each in several)
        raise BadRequestError(f"Several entries have this path: {ids}.", hint="Name one of these ids instead.")
    return several[0]


def _line(entry: dict[str, Any]) -> str:
    """A path as people know it from `ls -F`: folders end with `/`, links with `@`."""
    mark = "@" if entry["shortcut"] else "/" if entry["type"] == FOLDER else ""
    return f"{entry['path']}{mark}" + ("" if entry["type"] in ("", FOLDER) else f"  {entry['type']}")


def _show_one(entry: dict[str, Any]) -> None:
    show(entry, _line(entry))


def _show_all(entries: Sequence[dict[str, Any]]) -> None:
    show({"results": list(entries)}, "\n".join(map(_line, entries)))
