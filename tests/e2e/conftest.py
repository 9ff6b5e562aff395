"""The cluster that the end-to-end tests of one process share."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from deploy.demo import installation
from deploy.local import cache, file_lock
from deploy.local.build import binaries, images
from e2e import store_servers, two_nodes
from e2e.local_cluster import LocalCluster, start
from e2e.store_servers import StoreServers
from e2e.two_nodes import TwoNodes
from e2e.world import World

_NAMES = ("wso-test", "wso-test2", "wso-test3", "wso-test4")


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Give a cluster that no other run on this machine uses; WSO_E2E_KEEP=1 leaves it up for the next run."""
    with ExitStack() as held:
        locks = cache.locate().locks
        name = next(name for name in _NAMES if held.enter_context(file_lock.attempt(locks, f"run-{name}")))
        local = start(name)
        yield local
        if not os.environ.get("WSO_E2E_KEEP"):
            local.provider.down(name)


@pytest.fixture(scope="session")
def world(cluster: LocalCluster) -> Iterator[World]:
    """Give the cluster with simulator and product installed, images built from our Dockerfiles."""
    archives = images.build(cluster.store)
    cluster.import_archives(archives)
    with installation.simulator(cluster.kubectl) as simulator:
        installation.install_chart(binaries.program(cluster.store, "helm"), cluster.kubectl, simulator, archives)
        made = World(cluster.kubectl, simulator.admin)
        made.wait_for_ends()  # in a cluster that was kept, those of the run before
        yield made


@pytest.fixture(scope="session")
def servers(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> StoreServers:
    """Give the servers of S3 and MongoDB as pods of the cluster."""
    return store_servers.deploy(cluster, tmp_path_factory.mktemp("store-servers"))


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    """Give a cluster of two nodes, with two operators."""
    with two_nodes.running(tmp_path_factory.mktemp("two-nodes")) as found:
        yield found
