"""The cluster that all end-to-end tests of one run share."""

import os
from collections.abc import Iterator

import pytest

from deploy.demo import installation
from deploy.demo.kubectl import Kubectl
from deploy.local import binaries, images
from e2e.local_cluster import LocalCluster, start
from e2e.world import World


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Give a cluster of this run's own; WSO_E2E_KEEP=1 leaves it up for the next run."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    name = f"wso-test-{worker}" if worker else "wso-test"
    local = start(name)
    yield local
    if not os.environ.get("WSO_E2E_KEEP"):
        local.provider.down(name)


@pytest.fixture(scope="session")
def world(cluster: LocalCluster) -> Iterator[World]:
    """Give the cluster with the product installed in it, workers pointed at a simulator."""
    cluster.import_archives(images.build(cluster.store))
    kubectl = Kubectl(cluster.kubectl_program, cluster.kubeconfig)
    with installation.simulator(kubectl) as target:
        installation.install_chart(binaries.program(cluster.store, "helm"), kubectl, target)
        yield World(kubectl, target.admin)


@pytest.fixture(scope="session")
def world(cluster: LocalCluster) -> Iterator[World]:
    """Give the cluster with simulator and product installed, images built from our Dockerfiles."""
    archives = images.build(cluster.store)
    cluster.import_archives(archives)
    kubectl = Kubectl(cluster.kubectl_program, cluster.kubeconfig)
    with installation.simulator(kubectl) as simulator:
        installation.install_chart(binaries.program(cluster.store, "helm"), kubectl, simulator, archives)
        yield World(kubectl, simulator.admin)
