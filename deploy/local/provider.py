"""The seam between those who need a cluster and those who make one.

Its outcome is a kubeconfig and a way to bring images in; nothing else of a provider may be relied on.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that runs: `kubeconfig` is its administrator's."""

    name: str
    kubeconfig: Path
    nodes: tuple[str, ...]


class Provider(Protocol):
    """Makes and removes clusters. Each call is repeatable; each raises LocalClusterError."""

    def up(self, name: str, nodes: int) -> Cluster:
        """Make the cluster, or find the one that runs already; return when its nodes are ready."""
        ...

    def down(self, name: str) -> None:
        """Remove every trace of the cluster, also of one that was killed half-way."""
        ...

    def find(self, name: str) -> Cluster | None:
        """Return the cluster if it runs."""
        ...

    def import_image(self, name: str, archive: Path) -> None:
        """Make an image (an OCI archive, named inside it) known to each node of the cluster."""
        ...
