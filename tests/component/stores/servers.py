"""Start real store servers on loopback: versitygw (S3) and FerretDB (MongoDB's wire protocol)."""

import contextlib
import pathlib
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import boto3
import botocore.config
import pymongo

from deploy.local import cache
from deploy.local.build import binaries
from scenes.ports import free_port

PATIENCE = 60.0
BUCKET = "sessions"
ACCESS_KEY = "testaccess"
SECRET_KEY = "test-secret-0123456789"


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running S3 server."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def address(self, bucket: str, path: str = "", port: int | None = None) -> str:
        """Return a store's address; ``port`` is a proxy's."""
        endpoint = f"http://127.0.0.1:{port or self.port}"
        return f"s3:{bucket}{'/' if path else ''}{path}?region=us-east-1&endpoint={endpoint}&forcePathStyle=true"

    def client(self) -> "boto3.client":
        """Return the plain client."""
        config = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"})
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=config,
        )


def write_s3_secrets(directory: pathlib.Path, access: str = ACCESS_KEY, secret: str = SECRET_KEY) -> pathlib.Path:
    """Write the files that a pod would have mounted from a Secret."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "accessKeyId").write_text(access)
    (directory / "secretAccessKey").write_text(secret + "\n")
    return directory


@dataclass(frozen=True, slots=True)
class MongoServer:
    """A running server of MongoDB's wire protocol."""

    port: int
    tls_port: int | None = None

    def uri(self, port: int | None = None) -> str:
        """Return the plain address; ``port`` is a proxy's."""
        return f"mongodb://127.0.0.1:{port or self.port}/"


def write_mongo_secrets(directory: pathlib.Path, uri: str) -> pathlib.Path:
    """Write the file that a pod would have mounted from a Secret."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "uri").write_text(uri)
    return directory


@contextlib.contextmanager
def process(command: Sequence[str], port: int, log: pathlib.Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; it listens on ``port`` when the block begins."""
    with log.open("ab") as sink:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while not listens(port):
            said = log.read_text(errors="replace")[-2000:]
            assert running.poll() is None, f"{command[0]} ended: {said}"
            assert time.monotonic() < deadline, f"{command[0]} does not listen on {port}: {said}"
            time.sleep(0.02)
        yield running
    finally:
        running.kill()
        running.wait()


def listens(port: int) -> bool:
    """Tell whether a program listens on a port of loopback."""
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def s3_server(directory: pathlib.Path, port: int | None = None) -> Iterator[S3Server]:
    """Run an S3 server on a directory; the same one may be served again on the same port."""
    program, port = binaries.program(cache.locate(), "versitygw"), port or free_port()
    (directory / "data").mkdir(parents=True, exist_ok=True)
    command = [str(program), "--quiet", "--access", ACCESS_KEY, "--secret", SECRET_KEY, "--region", "us-east-1"]
    command += ["--port", f"127.0.0.1:{port}", "posix", str(directory / "data")]
    with process(command, port, directory / "server.log"):
        yield S3Server(port)


@contextlib.contextmanager
def mongo_server(directory: pathlib.Path, *more: str, tls_port: int | None = None) -> Iterator[MongoServer]:
    """Run a MongoDB server on a new directory."""
    program, port = binaries.program(cache.locate(), "ferretdb"), free_port()
    (directory / "data").mkdir(parents=True)
    command = [str(program), "-listen", f"127.0.0.1:{port}", "-data", str(directory / "data"), *more]
    with process(command, port, directory / "server.log"):
        yield MongoServer(port, tls_port)


def databases(server: MongoServer) -> "pymongo.MongoClient[dict[str, object]]":
    """Return the plain client."""
    return pymongo.MongoClient(server.uri(), serverSelectionTimeoutMS=10_000)
