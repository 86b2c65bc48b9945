"""Trees through the API, for the tests of what can be done with them."""

from typing import Any

from tests.api.conftest import Caller


class Tree:
    """What a caller does with the tree of one project."""

    def __init__(self, caller: Caller, base: str) -> None:
        self.caller, self.path = caller, f"{base}/file_system/"

    def make(self, path: str, **values: Any) -> Any:
        """A new entry, a document unless told otherwise."""
        answer = self.caller.post(self.path, {"path": path, "type": "doc", **values})
        assert answer.status_code in (200, 201), answer.content
        return answer.json()

    def folder(self, path: str) -> Any:
        return self.make(path, type="folder")

    def page(self, query: str = "") -> Any:
        answer = self.caller.get(f"{self.path}?{query}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    def paths(self, query: str = "") -> list[str]:
        return [entry["path"] for entry in self.page(query)["results"]]

    def drawn(self) -> list[str]:
        """Every entry: folders end with `/`, links with `*`."""
        return [
            entry["path"] + ("/" if entry["type"] == "folder" else "") + ("*" if entry["shortcut"] else "")
            for entry in self.page("limit=1000&order_by=path")["results"]
        ]

    def at(self, path: str, type: str = "folder") -> Any:
        """The one entry with this path and type."""
        [found] = [each for each in self.page("limit=1000")["results"] if (each["path"], each["type"]) == (path, type)]
        return found

    def move(self, entry: Any, new_path: Any) -> Any:
        return self.caller.post(f"{self.path}{entry['id']}/move/", {"new_path": new_path})

    def link(self, entry: Any, new_path: Any) -> Any:
        return self.caller.post(f"{self.path}{entry['id']}/link/", {"new_path": new_path})

    def delete(self, entry: Any) -> Any:
        return self.caller.delete(f"{self.path}{entry['id']}/")

    def get(self, entry: Any) -> Any:
        return self.caller.get(f"{self.path}{entry['id']}/")
