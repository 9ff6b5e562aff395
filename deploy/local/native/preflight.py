"""Whether this machine lets us run a node: each obstacle is one sentence."""

import os
import platform
import subprocess
import sys

from deploy.local.errors import LocalClusterError

_PROBES = (
    (
        ["unshare", "--net", "--mount", "--pid", "--fork", "mount", "-t", "proc", "proc", "/proc"],
        "Network, mount and process namespaces cannot be made here: CAP_SYS_ADMIN is missing or forbidden by seccomp.",
    ),
    (
        ["unshare", "--net", "ip", "link", "add", "probe", "type", "bridge"],
        "The kernel makes no network bridge: its module `bridge` or the capability CAP_NET_ADMIN is missing.",
    ),
    (
        ["unshare", "--net", "ip", "link", "add", "probe", "type", "veth", "peer", "name", "eborp"],
        "The kernel makes no virtual links: its module `veth` is missing.",
    ),
    (
        ["unshare", "--net", "iptables", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE"],
        "iptables cannot translate addresses: the kernel's nf_tables (or ip_tables) NAT modules are missing.",
    ),
)


def check_person() -> None:
    """Raise LocalClusterError if no installation of packages could let this person run a node here."""
    if sys.platform != "linux":
        raise LocalClusterError(f"A local node needs Linux, this is {platform.system()}.")
    if os.geteuid() != 0:
        raise LocalClusterError("A local node needs root: run the command as root (a control plane alone does not).")


def check_node() -> None:
    """Raise LocalClusterError with the first thing that a node lacks on this machine; the packages are there."""
    check_person()
    for command, sentence in _PROBES:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalClusterError(f"{sentence} ({done.stderr.strip()})")
    if not os.access("/sys/fs/cgroup", os.W_OK):
        raise LocalClusterError("Control groups cannot be made: /sys/fs/cgroup is not writable.")
