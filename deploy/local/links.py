"""The pair of virtual links between this machine and a cluster, and the bridges of its nodes."""

import subprocess

from deploy.local import names, namespaces, nodeconfig
from deploy.local.errors import LocalClusterError

_UPLINK = "uplink"


def taken() -> list[names.Network]:
    """Return the networks that this machine has routes to."""
    return names.routes(_ip("-4", "route", "show", "table", "all"))


def connect(name: str, addresses: names.Addresses, inside: namespaces.Namespaces) -> None:
    """Link the machine with the cluster: the machine reaches pods and services, they reach only the machine.

    There is no default route on purpose: nothing in a local cluster talks to the world.
    """
    own = names.link(name)
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


def exists(name: str) -> bool:
    """Return whether the machine's end of the link is there."""
    shown = subprocess.run(["ip", "link", "show", names.link(name)], capture_output=True, check=False)
    return shown.returncode == 0


def disconnect(name: str) -> None:
    """Remove the machine's end, if it is still there: it goes with the cluster's namespace, but a little later."""
    if exists(name):
        subprocess.run(["ip", "link", "delete", names.link(name)], capture_output=True, check=False)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalClusterError(f"ip {' '.join(arguments[:3])} failed: {done.stderr.strip()}")
    return done.stdout
