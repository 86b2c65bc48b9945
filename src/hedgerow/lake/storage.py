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
STAGED = ".staged"
"""Ends the names of files that are being written; what a crash leaves of them, `maintain.tidy` removes."""

PROBE = b"hedgerow" * 512  # a whole block: a full disk may still take a few bytes


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

    def write_new(self, name: str, content: bytes) -> None:
        """Write a file under a name that nobody else uses; in a local folder it is on the disk afterwards."""
        if not self.is_local:
            with self.filesystem().open_output_stream(self.path(name)) as stream:
                stream.write(content)
            return
        with Path(self.path(name)).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def create(self, name: str, content: bytes) -> bool:
        """Write a file whole unless there is one of that name; False when there is. Of two at once one wins.

        In a local folder, which must be there, it is on the disk afterwards, name and all. Raises OSError.
        """
        if not self.is_local:
            return self._create_object(name, content)
        path = Path(self.path(name))
        staged = f"{name.rpartition('/')[0] or '.'}/.{uuid.uuid4().hex}{STAGED}"
        try:
            self.write_new(staged, content)
            os.link(self.path(staged), path)
        except FileExistsError:
            return False
        finally:
            Path(self.path(staged)).unlink(missing_ok=True)
        sync_to_disk(path.parent)
        return True

    def create_folder(self, name: str) -> None:
        """Make a folder, and those above it, where there are folders; they are on the disk afterwards."""
        if self.is_local:
            path = Path(self.path(name))
            path.mkdir(parents=True, exist_ok=True)
            for folder in (path, *path.parents[:3]):
                sync_to_disk(folder)

    def _create_object(self, name: str, content: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError
        from obstore.store import S3Store

        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        bucket, _, prefix = self.root.partition("/")
        store = S3Store(
            bucket,
            prefix=prefix or None,
            region=_region(),
            endpoint=endpoint or None,
            client_options={"allow_http": endpoint.startswith("http://")},
        )
        try:
            obstore.put(store, name, content, mode="create")
        except AlreadyExistsError:
            return False
        except BaseError as error:
            raise OSError(str(error)) from error
        return True

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
        probe = f".probe-{uuid.uuid4().hex}"
        try:
            filesystem = self.filesystem()
            if self.is_local:
                filesystem.create_dir(self.root, recursive=True)
            self.create(probe, PROBE)
            filesystem.delete_file(self.path(probe))
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


def sync_to_disk(path: Path) -> None:
    """fsync a local file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
