"""One S3 and one MongoDB server for all tests of a run; a new place in them for each test."""

import contextlib
import importlib
import pathlib
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from component.stores import proxy, servers
from component.stores.disturbed import DisturbedPlace, MongoPlace, S3Place
from deploy.local.build import images
from whatsapp_worker import stores
from whatsapp_worker.stores import memory, registry

EXAMPLE = images.REPOSITORY / "tests" / "example_store"


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.S3Server]:
    """A running S3 server with the bucket ``sessions``."""
    with servers.s3_server(tmp_path_factory.mktemp("s3") / "server") as running:
        client = running.client()
        client.create_bucket(Bucket=servers.BUCKET)
        client.close()
        yield running


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.MongoServer]:
    """A running server of MongoDB's wire protocol."""
    with servers.mongo_server(tmp_path_factory.mktemp("mongo") / "server") as running:
        yield running


@dataclass(frozen=True, slots=True)
class Place:
    """An empty place in a store, and how a worker is told of it."""

    address: str
    settings: stores.Settings = field(default_factory=stores.Settings)


MakePlace = Callable[[str], Place]


@pytest.fixture
def make_place(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> MakePlace:
    """Make an empty place of a kind; servers are started when the first test asks for them."""

    def make(kind: str) -> Place:
        fresh = f"t{secrets.token_hex(6)}"
        match kind:
            case "filesystem":
                return Place(f"file:{tmp_path / fresh}")
            case "s3":
                s3: servers.S3Server = request.getfixturevalue("s3_server")
                given = stores.Settings(servers.write_s3_secrets(tmp_path / "s3-secrets"))
                return Place(s3.address(servers.BUCKET, fresh), given)
            case "mongodb":
                mongo: servers.MongoServer = request.getfixturevalue("mongo_server")
                given = stores.Settings(servers.write_mongo_secrets(tmp_path / "mongo-secrets", mongo.uri()))
                return Place(f"mongodb:{fresh}", given)
        raise AssertionError(f"there is no place of the kind {kind}")

    return make


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """The directory into which the package was installed; it is on the module path."""
    target = tmp_path_factory.mktemp("site-packages")
    uv = [str(pathlib.Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--no-deps", "--offline"]
    uv += ["--no-build-isolation", "--python", sys.executable, "--target", str(target), str(EXAMPLE)]
    done = subprocess.run(uv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    sys.path.append(str(target))
    importlib.invalidate_caches()
    yield target
    sys.path.remove(str(target))
    sys.modules.pop("whatsapp_store_sqlite", None)


MakeStore = Callable[[str], stores.Backend]


@pytest.fixture
def make_store(make_place: MakePlace, tmp_path: pathlib.Path) -> MakeStore:
    """Open an empty store of a kind: memory, filesystem, s3, mongodb."""

    def make(kind: str) -> stores.Backend:
        if kind == "memory":
            return memory.MemoryStore()
        place = make_place(kind)
        return registry.open_store(place.address, place.settings)

    return make


@pytest.fixture
def s3_place(make_place: MakePlace, s3_server: servers.S3Server) -> Iterator[S3Place]:
    """An empty folder of a bucket, behind a proxy."""
    made = make_place("s3")
    assert made.settings.secrets is not None
    with proxy.running(s3_server.port, http=True) as between:
        address = made.address.replace(f":{s3_server.port}", f":{between.port}")
        yield S3Place(between, address, made.settings.secrets)


@pytest.fixture
def mongo_place(mongo_server: servers.MongoServer, tmp_path: pathlib.Path) -> Iterator[MongoPlace]:
    """An empty database, behind a proxy."""
    with proxy.running(mongo_server.port, http=False) as between, contextlib.ExitStack() as opened:
        given = servers.write_mongo_secrets(tmp_path / "mongo-secrets", mongo_server.uri(between.port))
        yield MongoPlace(between, f"t{secrets.token_hex(6)}", given, opened.callback)


@pytest.fixture
def disturbed(request: pytest.FixtureRequest) -> DisturbedPlace:
    """An empty place of the kind that the test's parameter names, behind a proxy."""
    place: DisturbedPlace = request.getfixturevalue(f"{request.param}_place")
    return place
