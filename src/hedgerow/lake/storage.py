"""A folder or an S3 bucket in which tables lie: what delta-rs and Arrow need to reach it.

Light to import: Arrow is loaded by the calls that need it.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from hedgerow.core.errors import BrokenError, ConflictError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_S3 = "s3://"


@dataclass(frozen=True)
class Storage:
    """`url` is a folder or `s3://bucket/prefix`; S3 is set up by the standard AWS_* variables.

    AWS_ENDPOINT_URL names an S3-compatible service (plain http allowed, path-style addresses). The service must know
    conditional writes (`If-None-Match: *`): two commits of the same version are told apart by them.
    """

    url: str

    @property
    def is_local(self) -> bool:
        """Whether tables lie in a folder of this machine."""
        return not self.url.startswith(_S3)

    @property
    def root(self) -> str:
        """The base of every path given to `filesystem()`: an absolute folder, or `bucket/prefix`."""
        return str(Path(self.url).absolute()) if self.is_local else self.url.removeprefix(_S3).rstrip("/")

    def uri(self, location: str) -> str:
        """The address of a table for delta-rs, Polars and DuckDB."""
        return f"{self.root}/{location}" if self.is_local else f"{_S3}{self.root}/{location}"

    def path(self, location: str) -> str:
        """The path of a table within `filesystem()`."""
        return f"{self.root}/{location}"

    def delta_options(self) -> dict[str, str]:
        """`storage_options` for delta-rs (credentials it reads from the environment itself)."""
        if self.is_local:
            return {}
        options = {"aws_conditional_put": "etag", "AWS_REGION": _region()}
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        if endpoint:
            options["AWS_ENDPOINT_URL"] = endpoint
            options["AWS_ALLOW_HTTP"] = str(endpoint.startswith("http://")).lower()
        return options

    def filesystem(self) -> "FileSystem":
        """Arrow's file system for `path()`."""
        from pyarrow import fs

        if self.is_local:
            return fs.LocalFileSystem()
        scheme, _, host = os.environ.get("AWS_ENDPOINT_URL", "").rpartition("://")
        return fs.S3FileSystem(
            region=_region(), endpoint_override=host or None, scheme=scheme or "https", allow_bucket_creation=False
        )

    def delete(self, location: str) -> None:
        """Delete a whole table; one that is not there is no error.

        The log goes first: a delete that is cut off leaves files without a table, never a table without files.
        """
        path = self.path(location)
        if self.is_local:
            shutil.rmtree(f"{path}/_delta_log", ignore_errors=True)
            shutil.rmtree(path, ignore_errors=True)
            if Path(path).exists():
                raise BrokenError(f"The folder {path} could not be deleted.")
            return
        filesystem = self.filesystem()
        for part in (f"{path}/_delta_log", path):
            if filesystem.get_file_info(part).type.name == "Directory":
                filesystem.delete_dir(part)

    def check(self) -> None:
        """Write and delete a probe. Raises BrokenError when the storage cannot be written, or not by delta-rs."""
        if self.is_local and unquote(self.root) != self.root:
            raise BrokenError(
                f"The storage {self.url} cannot be used: its name contains a % escape, which delta-rs decodes.",
                hint="Choose a folder without % in its name.",
            )
        probe = f"{self.root}/.probe-{uuid.uuid4().hex}"
        try:
            filesystem = self.filesystem()
            if self.is_local:
                filesystem.create_dir(self.root, recursive=True)
            with filesystem.open_output_stream(probe) as stream:
                stream.write(b"hedgerow")
            filesystem.delete_file(probe)
        except OSError as error:
            raise BrokenError(
                f"The storage {self.url} cannot be written: {error}",
                hint="Check that the folder or bucket exists and that the server's user may write to it.",
            ) from error


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Turn what a storage complains about while a table is read or written into errors that a run can show."""
    try:
        yield
    except FileNotFoundError as error:
        raise ConflictError("The table was deleted while it was worked on.") from error
    except OSError as error:
        raise BrokenError(
            f"The storage failed: {error}", hint="Check that the storage is up and has room, then sync again."
        ) from error


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
