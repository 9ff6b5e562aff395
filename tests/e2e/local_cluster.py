"""A local cluster as tests use it."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local import cache
from deploy.local import provider as providers
from deploy.local.build import binaries
from deploy.local.native.cluster import Native


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """A real cluster on this machine, and how to speak to it."""

    store: cache.Cache
    provider: providers.Provider
    cluster: providers.Cluster
    kubectl_program: Path

    @property
    def kubeconfig(self) -> Path:
        return self.cluster.kubeconfig

    def command(self, *arguments: str) -> list[str]:
        """Return a kubectl command line."""
        return [str(self.kubectl_program), "--kubeconfig", str(self.kubeconfig), *arguments]

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl and return what it prints; its failure is the test's, with its message."""
        done = subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            pytest.fail(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def import_archives(self, archives: Sequence[Path]) -> None:
        """Bring images into the cluster's nodes."""
        for archive in archives:
            self.provider.import_image(self.cluster.name, archive)


def start(name: str) -> LocalCluster:
    """Make a cluster, or find the one that an earlier run kept."""
    store = cache.locate()
    own = Native(store)
    return LocalCluster(store, own, own.up(name, 1), binaries.program(store, "kubectl"))
