"""A cluster that is lost without a clean stop, and a new one in its place with the same manifests.

The archives and the stand-in for WhatsApp Web outlive it: they are in the cluster that the other tests use. Clusters
reach this machine only, so a relay on it stands between the two.
"""

import dataclasses
import ipaddress
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from deploy.demo import installation
from deploy.demo.kubectl import Kubectl
from deploy.local.build import binaries, images
from e2e import store_servers
from e2e.local_cluster import LocalCluster, start
from e2e.store_servers import StoreServers
from e2e.world import Session, World

PAGE_PORT = 443


@contextmanager
def relay(address: str, port: int, target: str) -> Iterator[None]:
    """Pass connections to a port of this machine on to the same port of ``target``."""
    listen = f"TCP-LISTEN:{port},bind={address},fork,reuseaddr"
    running = subprocess.Popen(["socat", listen, f"TCP:{target}:{port}"], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        running.kill()
        running.wait()


def machine(local: LocalCluster) -> str:
    """Return this machine's address on its link to a cluster: the one before the API server's."""
    server = local.kubectl.run("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
    return str(ipaddress.IPv4Address(urlsplit(server).hostname or "") - 1)


@dataclasses.dataclass(frozen=True, slots=True)
class Outside:
    """What outlives a cluster."""

    world: World
    servers: StoreServers
    page: str
    """Address of the simulator's service."""

    @contextmanager
    def installed(self, local: LocalCluster) -> Iterator[Kubectl]:
        """Install the product in a new cluster, with ways to the simulator and to the store."""
        archives = images.build(local.store, ["operator", "worker"])
        local.import_archives(archives)
        kubectl, here = local.kubectl, machine(local)
        with ExitStack() as ways:
            ways.enter_context(relay(here, PAGE_PORT, self.page))
            ways.enter_context(relay(here, store_servers.S3_PORT, self.servers.s3_address))
            admin = self.world.admin
            target = installation.Simulator(here, admin.tls().spki, admin)
            installation.install_chart(binaries.program(local.store, "helm"), kubectl, target, archives)
            yield kubectl


@pytest.fixture
def outside(world: World, servers: StoreServers) -> Outside:
    """Give the cluster of the other tests as the world outside."""
    page = world.kubectl.run(
        *("get", "service", "simulator", "-n", installation.SIMULATOR_NAMESPACE, "-o", "jsonpath={.spec.clusterIP}")
    )
    return Outside(world, servers, page)


def test_the_session_of_a_lost_cluster_comes_back_in_a_new_one_when_a_person_says_so(
    cluster: LocalCluster, outside: Outside
) -> None:
    bucket, name = f"lost-{secrets.token_hex(4)}", f"{cluster.cluster.name}-lost"
    outside.servers.bucket(bucket)
    provider = cluster.provider
    try:
        first = start(name)
        store = outside.servers.s3(bucket, f"http://{machine(first)}:{store_servers.S3_PORT}")
        with outside.installed(first) as kubectl:
            session = dataclasses.replace(outside.world.named("lost"), kubectl=kubectl)
            manifests = session.manifests(store=store, secrets_of_store=outside.servers.secrets("lost"))
            kubectl.apply(manifests)
            device = session.link()
            before = session.status()
            # Every process of the cluster gets SIGKILL at once: no worker saves, none releases.
            provider.down(name)
        kinds = [item["kind"] for item in outside.servers.records(bucket, "RemoteAuth-support")]
        assert "release" not in kinds
        second = start(name)
        assert machine(second) == machine(first), "the same manifests must lead to the same store"
        with outside.installed(second) as kubectl:
            kubectl.apply(manifests)
            again = dataclasses.replace(session, kubectl=kubectl)
            said = again.wait_stalled("StoreSessionInUse")
            assert "pod wa-support of namespace lost" in said
            again.request("takeover")
            came_back(again, before["saved"]["generation"])
            again.assert_same_login(device)
    finally:
        provider.down(name)


def came_back(session: Session, generation: int) -> None:
    """Wait until the session is connected without a code, and its next save is accepted."""
    now = session.returned({"stateSince": None}, timeout=300)
    assert now["restored"]["generation"] >= generation
    session.save(timeout=180)
