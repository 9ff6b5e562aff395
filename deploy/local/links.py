"""The pair of virtual links between this machine and a cluster, and the bridges of its nodes."""

import subprocess
from pathlib import Path

from deploy.local import names, namespaces, nodeconfig
from deploy.local.errors import LocalClusterError

_UPLINK = "uplink"


def taken() -> list[names.Network]:
    """Return the networks that this machine has routes to."""
    return names.routes(_ip("-4", "route", "show", "table", "all"))


def connect(addresses: names.Addresses, inside: namespaces.Namespaces) -> None:
    """Link the machine with the cluster: the machine reaches pods and services, they reach only the machine.

    There is no default route on purpose: nothing in a local cluster talks to the world.
    """
    own = names.link(inside.directory)
    _ip("link", "add", own, "type", "veth", "peer", "name", _UPLINK, "netns", str(inside.first.pid))
    _ip("address", "add", f"{addresses.host}/30", "dev", own)
    _ip("link", "set", own, "up")
    inside.run(["ip", "address", "add", f"{addresses.cluster}/30", "dev", _UPLINK])
    inside.run(["ip", "link", "set", _UPLINK, "up"])
    _ip("route", "add", str(addresses.block), "via", addresses.cluster, "dev", own)


def bridge(node: nodeconfig.Node, inside: namespaces.Namespaces) -> None:
    """Make the node's bridge before the network plugin would: the kubelet wants its address at its start."""
    inside.run(["ip", "link", "add", node.bridge, "type", "bridge"])
    inside.run(["ip", "address", "add", f"{node.address}/24", "dev", node.bridge])
    inside.run(["ip", "link", "set", node.bridge, "up"])


def marks() -> list[str]:
    """Return the machine's ends of the links to clusters, of whatever cache: each stands while its cluster runs."""
    shown = (line.split()[1].split("@")[0].rstrip(":") for line in _ip("-o", "link", "show").splitlines())
    return [link for link in shown if link.startswith(names.MARK)]


def exists(directory: Path) -> bool:
    """Return whether the machine's end of the link to the cluster in `directory` is there."""
    return names.link(directory) in marks()


def disconnect(directory: Path) -> None:
    """Remove the machine's end, if it is still there: it goes with the cluster's namespace, but a little later."""
    if exists(directory):
        subprocess.run(["ip", "link", "delete", names.link(directory)], capture_output=True, check=False)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalClusterError(f"ip {' '.join(arguments[:3])} failed: {done.stderr.strip()}")
    return done.stdout
