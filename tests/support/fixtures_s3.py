"""An S3-compatible server (moto's, in a process of its own) for the session, and an empty bucket for each test."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from pyarrow import fs

from hedgerow.lake.storage import Storage


def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """An empty bucket reached through the standard variables."""
    variables = {
        "ENDPOINT_URL": s3_endpoint,
        "ACCESS_KEY_ID": "me",
        "SECRET_ACCESS_KEY": "secret",
        "REGION": "eu-west-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    host = s3_endpoint.removeprefix("http://")
    bucket = f"lake-{time.time_ns()}"
    fs.S3FileSystem(endpoint_override=host, scheme="http", allow_bucket_creation=True).create_dir(bucket)
    return Storage(f"s3://{bucket}/some/prefix")
