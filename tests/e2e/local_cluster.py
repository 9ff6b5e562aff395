"""A local cluster as tests use it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.kubectl import Kubectl
from deploy.local import cache
from deploy.local.build import binaries
from deploy.local.native.cluster import Native
from deploy.local.provider import Cluster, Provider
from deploy.local.provider_choice import VARIABLE, choose


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """A real cluster on this machine, and kubectl for it."""

    store: cache.Cache
    provider: Provider
    cluster: Cluster
    kubectl: Kubectl

    @property
    def kubeconfig(self) -> Path:
        return self.cluster.kubeconfig

    def import_archives(self, archives: Sequence[Path]) -> None:
        """Import images into the cluster's nodes."""
        for archive in archives:
            self.provider.import_image(self.cluster.name, archive)


def start(name: str, nodes: int = 1) -> LocalCluster:
    """Create a cluster, or find the one that an earlier run kept.

    It is a native one unless WSO_PROVIDER says otherwise: `test_cluster.py` tests that provider itself.
    """
    store = cache.locate()
    provider = choose(store, name, os.environ.get(VARIABLE) or Native.NAME)
    cluster = provider.up(name, nodes)
    return LocalCluster(store, provider, cluster, Kubectl(binaries.program(store, "kubectl"), cluster.kubeconfig))
