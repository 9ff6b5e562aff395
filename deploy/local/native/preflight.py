"""Check whether this machine can run a node; each obstacle is one sentence."""

import os
import platform
import subprocess
import sys

from deploy.local.errors import LocalClusterError

_PROBES = (
    (
        ["unshare", "--net", "--mount", "--pid", "--fork", "mount", "-t", "proc", "proc", "/proc"],
        "Network, mount and process namespaces cannot be created: CAP_SYS_ADMIN is missing or forbidden by seccomp.",
    ),
    (
        ["unshare", "--net", "ip", "link", "add", "probe", "type", "bridge"],
        "No network bridge can be created: the kernel module `bridge` or the capability CAP_NET_ADMIN is missing.",
    ),
    (
        ["unshare", "--net", "ip", "link", "add", "probe", "type", "veth", "peer", "name", "eborp"],
        "No virtual network links can be created: the kernel module `veth` is missing.",
    ),
    (
        ["unshare", "--net", "iptables", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE"],
        "iptables cannot translate addresses: the kernel's nf_tables (or ip_tables) NAT modules are missing.",
    ),
)


def check_user() -> None:
    """Raise LocalClusterError if this user cannot run a node here, whatever packages are installed."""
    if sys.platform != "linux":
        raise LocalClusterError(
            f"A local node needs Linux, and this is {platform.system()}: use docker or podman with --provider kind."
        )
    if os.geteuid() != 0:
        raise LocalClusterError(
            "A local node needs root: run the command as root, or use docker or podman with --provider kind."
        )


def check_node() -> None:
    """Raise LocalClusterError with the first thing that a node lacks here; the packages are installed."""
    check_user()
    for command, sentence in _PROBES:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalClusterError(f"{sentence} ({done.stderr.strip()})")
    if not os.access("/sys/fs/cgroup", os.W_OK):
        raise LocalClusterError("Control groups cannot be created: /sys/fs/cgroup is not writable.")
