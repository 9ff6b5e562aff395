"""The interface between the users of a cluster and the two providers that create one.

A user relies on a kubeconfig and on a way to import images, and on nothing else of a provider.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from deploy.local.errors import LocalClusterError

DEFAULT_NAME = "wso"
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?")


def check_name(name: str) -> str:
    """Return the name of a cluster; raise LocalClusterError if it cannot be used."""
    if not _NAME.fullmatch(name):
        raise LocalClusterError(
            f"{name!r} is not a valid cluster name: use up to 20 of a-z, 0-9 and -, beginning with a letter."
        )
    return name


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that runs: `kubeconfig` is its administrator's."""

    name: str
    kubeconfig: Path
    nodes: tuple[str, ...]


class Provider(Protocol):
    """Creates and removes clusters. Each call can be repeated; each raises LocalClusterError."""

    def up(self, name: str, nodes: int) -> Cluster:
        """Create the cluster, or find the one that runs already; return when its nodes are ready."""
        ...

    def down(self, name: str) -> None:
        """Remove every trace of the cluster, also of one whose creation was killed."""
        ...

    def find(self, name: str) -> Cluster | None:
        """Return the cluster if it runs."""
        ...

    def import_image(self, name: str, archive: Path) -> None:
        """Import an image (an OCI archive, named inside it) into each node of the cluster."""
        ...


class Host(Protocol):
    """What a provider needs of this machine, and what it leaves on it."""

    def prepare(self, *, programs: bool = True) -> None:
        """Check this machine, install what is missing, and fetch or build the programs that `up` starts.

        Without `programs` the machine is checked only.
        """
        ...

    def has_files(self, name: str) -> bool:
        """Return whether this cache holds files of a cluster of this name, running or not."""
        ...

    def stopped(self, name: str) -> list[str]:
        """Return the parts of the cluster that were started and no longer run."""
        ...

    def leaks(self, name: str) -> list[str]:
        """Return what the cluster has on this machine; after `down`, what it left behind."""
        ...


class LocalProvider(Provider, Host, Protocol):
    """What the command line needs; tests and demo need a Provider only."""

    NAME: ClassVar[str]
