"""The JavaScript stores from npm, unmodified, and ours on one place: each restores what the other saved, with no QR."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from component import workers
from component.stores import servers
from conformance import ours_hands, packages, peer, scenarios
from simulator.testing import Running, running_simulator

KINDS = ("filesystem", "s3", "mongodb")
REMOTE_PATH = "bots/sessions"


@dataclass(frozen=True, slots=True)
class Shared:
    """One place as both sides are told of it."""

    address: str
    environment: Mapping[str, str]
    remote: Mapping[str, object]


@pytest.fixture(scope="module")
def open_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, peer.Place], Shared]]:
    """Open a place of a kind; a server is started when it is needed."""
    base = tmp_path_factory.mktemp("stores")
    with contextlib.ExitStack() as stack:

        def open_it(kind: str, place: peer.Place) -> Shared:
            match kind:
                case "s3":
                    s3 = stack.enter_context(servers.s3_server(base / "s3"))
                    client = s3.client()
                    client.create_bucket(Bucket=servers.BUCKET)
                    client.close()
                    secrets = servers.write_s3_secrets(base / "s3-secrets")
                    remote = {"kind": "s3", "endpoint": s3.endpoint, "bucket": servers.BUCKET, "path": REMOTE_PATH}
                    remote |= {"accessKey": servers.ACCESS_KEY, "secretKey": servers.SECRET_KEY}
                    return Shared(s3.address(servers.BUCKET, REMOTE_PATH), told(secrets), remote)
                case "mongodb":
                    mongo = stack.enter_context(servers.mongo_server(base / "mongo"))
                    secrets = servers.write_mongo_secrets(base / "mongo-secrets", mongo.uri())
                    return Shared("mongodb:bots", told(secrets), {"kind": "mongodb", "uri": f"{mongo.uri()}bots"})
            return Shared(f"file:{place.store}", {}, {"kind": "folder"})

        yield open_it


def told(secrets: pathlib.Path) -> dict[str, str]:
    return {"WHATSAPP_STORE_SECRETS": str(secrets)}


@dataclass
class Sides:
    """The library and our worker, in turn on one place and one simulator."""

    shared: Shared
    place: peer.Place
    home: workers.Home
    simulator: Running

    @contextlib.contextmanager
    def library(self) -> Iterator[peer.Peer]:
        """Run the library on a machine that has nothing but the store."""
        with peer.running(self.place, self.simulator, "remote", remote=self.shared.remote) as running:
            yield running
        self.simulator.admin.wait_for("its browser to be gone", lambda devices: not any(d.online for d in devices))

    def start(self, *flags: str) -> workers.Worker:
        """Start our worker, likewise."""
        where = ours_hands.elsewhere(self.home)
        return self.home.start("--store", self.shared.address, *flags, env=self.shared.environment, data=where)

    def command(self, *arguments: str) -> str:
        """Run ``whatsapp-worker store ...``; returns what it says."""
        command = [workers.COMMAND, "store", *arguments, "--store", self.shared.address, "--client-id", "it"]
        return subprocess.run(
            command, env={**os.environ, **self.shared.environment}, check=True, capture_output=True, text=True
        ).stdout


@pytest.fixture
def sides(
    modules: pathlib.Path,
    open_shared: Callable[[str, peer.Place], Shared],
    request: pytest.FixtureRequest,
    tmp_path: pathlib.Path,
) -> Iterator[Sides]:
    place = peer.Place(modules, packages.browser(), tmp_path)
    with (
        running_simulator(sync_bytes=1_000_000, sync_s=0.5) as simulator,
        workers.home_at(tmp_path / "ours", simulator) as home,
    ):
        home.client_id = "it"
        yield Sides(open_shared(request.param, place), place, home, simulator)


@pytest.mark.parametrize("sides", KINDS, indirect=True)
def test_each_restores_what_the_other_saved_without_a_qr_code(sides: Sides) -> None:
    device = the_library_links_and_saves(sides)
    ours_imports_it_by_itself_and_saves(sides, device)
    the_library_restores_ours_and_saves_a_newer_one(sides, device)
    ours_restores_it_on_request(sides, device)


def the_library_links_and_saves(sides: Sides) -> str:
    with sides.library() as library:
        device = peer.link(library, sides.simulator)
        scenarios.wait_for_disk(sides.place)
        library.save()
    return device


def ours_imports_it_by_itself_and_saves(sides: Sides, device: str) -> None:
    worker = sides.start()
    ours_hands.wait_for(worker, "saved", trigger="FirstLink")
    assert worker.all("ready")
    assert not worker.all("qr"), worker
    sides.home.assert_whole(device)
    sides.home.news(device, "while ours runs")
    assert worker.stop(90) == 0
    assert not worker.all("fault", reason="ForeignArchive"), worker


def the_library_restores_ours_and_saves_a_newer_one(sides: Sides, device: str) -> None:
    sides.place.profile().rename(sides.place.profile().with_name("lost"))
    with sides.library() as library:
        library.wait_for("ready")
        assert not library.said("qr")
        assert sides.simulator.admin.device(device).rollbacks == 0, "what the library restored is our newest"
        sides.simulator.admin.wait_for("it to have synced", lambda devices: any(d.synced for d in devices))
        assert sides.simulator.admin.verify(device)["ok"]
        sides.home.news(device, "while the library runs")
        library.save()


def ours_restores_it_on_request(sides: Sides, device: str) -> None:
    before = sides.simulator.admin.device(device).rollbacks
    assert "the next start restores it" in sides.command("import")
    worker = sides.start()
    ours_hands.wait_for(worker, "ready")
    assert not worker.all("qr"), worker
    assert sides.simulator.admin.device(device).rollbacks == before, "the library's is the newest"
    sides.home.assert_whole(device)
    assert worker.stop(90) == 0
    assert not worker.all("fault", reason="ForeignArchive"), worker
