"""The pair of virtual network links between this machine and a cluster, and the bridges of its nodes."""

import subprocess
from pathlib import Path

from deploy.local.commands import SYSTEM
from deploy.local.native import addresses, linux_namespaces, node_config

_UPLINK = "uplink"


def taken() -> list[addresses.Network]:
    """Return the networks that this machine has routes to."""
    return addresses.routes(_ip("-4", "route", "show", "table", "all"))


def connect(own: addresses.Addresses, inside: linux_namespaces.Namespaces) -> None:
    """Link the machine with the cluster: the machine reaches pods and services, they reach only the machine.

    There is no default route on purpose: a local cluster needs no Internet.
    """
    link = addresses.link(inside.directory)
    _ip("link", "add", link, "type", "veth", "peer", "name", _UPLINK, "netns", str(inside.first.pid))
    _ip("address", "add", f"{own.host}/30", "dev", link)
    _ip("link", "set", link, "up")
    inside.run(["ip", "address", "add", f"{own.cluster}/30", "dev", _UPLINK])
    inside.run(["ip", "link", "set", _UPLINK, "up"])
    _ip("route", "add", str(own.block), "via", own.cluster, "dev", link)


def bridge(node: node_config.Node, inside: linux_namespaces.Namespaces) -> None:
    """Create the node's bridge before the network plugin would: the kubelet needs its address when it starts."""
    inside.run(["ip", "link", "add", node.bridge, "type", "bridge"])
    inside.run(["ip", "address", "add", f"{node.address}/24", "dev", node.bridge])
    inside.run(["ip", "link", "set", node.bridge, "up"])


def marks() -> list[str]:
    """Return the machine's ends of the links to clusters of all caches; each exists while its cluster runs."""
    shown = (line.split()[1].split("@")[0].rstrip(":") for line in _ip("-o", "link", "show").splitlines())
    return [link for link in shown if link.startswith(addresses.MARK)]


def exists(directory: Path) -> bool:
    """Return whether the machine's end of the link to the cluster in `directory` is there."""
    return addresses.link(directory) in marks()


def disconnect(directory: Path) -> None:
    """Remove the machine's end if it still exists: the kernel removes it with the namespace, but a little later."""
    if exists(directory):
        subprocess.run(["ip", "link", "delete", addresses.link(directory)], capture_output=True, check=False)


def _ip(*arguments: str) -> str:
    return SYSTEM.output(["ip", *arguments], f"`ip {' '.join(arguments[:3])}`")
