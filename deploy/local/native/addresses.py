"""Names and addresses derived from a cluster's name and directory, so that two clusters do not collide."""

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import LocalClusterError

Network = ipaddress.IPv4Network

MARK = "wso-"
# A socket's path has at most 107 bytes; the longest below a cluster's directory takes 35.
LONGEST_DIRECTORY = 72
_FIRST_BLOCK, _BLOCKS = 64, 64  # 10.64.0.0/16 up to 10.127.0.0/16


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of one cluster: a /16 that is reached through one pair of virtual links."""

    block: ipaddress.IPv4Network

    @property
    def host(self) -> str:
        """Return this machine's address on the link to the cluster."""
        return str(self.block[-3])

    @property
    def cluster(self) -> str:
        """Return the cluster's address on that link: the API server's."""
        return str(self.block[-2])

    @property
    def services(self) -> str:
        return f"{self.block[0x8000]}/20"

    @property
    def first_service(self) -> str:
        return str(self.block[0x8001])

    def pods(self, node: int) -> str:
        """Return the range of the pods of node 1, 2, ..."""
        return f"{self.block[node << 8]}/24"

    def node(self, node: int) -> str:
        """Return the address of node 1, 2, ...: its bridge's."""
        return str(self.block[(node << 8) + 1])


def link(directory: Path) -> str:
    """Return the name of the host's end of the link to the cluster (at most 15 characters); it is the cluster's mark.

    It is derived from the directory, not from the name: a cluster of another cache may have the same name.
    """
    return f"{MARK}{_digits(str(directory.resolve()))}"


def cgroup(directory: Path, node: int) -> str:
    """Return the cgroup that holds the pods of a node."""
    return f"/{link(directory)}-node{node}"


def node(name: str, number: int) -> str:
    """Return the name of node 1, 2, ..."""
    return f"{name}-node{number}"


def choose(name: str, taken: Iterable[ipaddress.IPv4Network]) -> Addresses:
    """Return a block that overlaps none of `taken`; the search begins at a place derived from the name.

    Raises LocalClusterError when every block is taken.
    """
    used = list(taken)
    start = int(_digits(name), 16)
    for offset in range(_BLOCKS):
        block = ipaddress.IPv4Network(f"10.{_FIRST_BLOCK + (start + offset) % _BLOCKS}.0.0/16")
        if not any(block.overlaps(network) for network in used):
            return Addresses(block)
    raise LocalClusterError("Each /16 from 10.64.0.0 to 10.127.0.0 overlaps a route of this machine: free one of them.")


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def routes(text: str) -> list[ipaddress.IPv4Network]:
    """Return the destinations of `ip -4 route show table all`, the default route left out."""
    found = []
    for line in text.splitlines():
        words = [word for word in line.split() if word not in {"local", "broadcast", "unreachable", "blackhole"}]
        if words and re.match(r"\d+\.\d+\.\d+\.\d+", words[0]):
            found.append(ipaddress.IPv4Network(words[0], strict=False))
    return found
