"""The first process of a cluster: it makes the namespaces habitable and buries the dead.

A script, not a part of the package: `python init.py DIRECTORY`. It runs in network, mount and
process namespaces of its own. When it is killed the kernel kills every process of the cluster, and
the mounts, links and firewall rules go with the namespaces: no list of traces can be incomplete.
Paths that containerd, kubelet and the network plugins have built in are covered by own directories.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

# What is hidden, and the directory (below the cluster's) that is seen instead; None: memory.
COVERED = {"/run": None, "/var/lib": "var-lib", "/var/log": "var-log"}


def run(*command: str) -> None:
    """Run a command; its failure ends the cluster, with its message in the log."""
    subprocess.run(command, check=True)


def furnish(directory: Path) -> None:
    """Mount and switch on what the programs of a node expect."""
    run("mount", "-t", "proc", "proc", "/proc")
    for path, own in COVERED.items():
        if own is None:
            run("mount", "-t", "tmpfs", "tmpfs", path)
        else:
            (directory / own).mkdir(exist_ok=True)
            run("mount", "--bind", str(directory / own), path)
    run("mount", "--make-rshared", "/")
    run("ip", "link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    bridged = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if bridged.exists():
        bridged.write_text("1")


def bury_forever() -> None:
    """Wait for children without end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A signal set that is blocked and waited for: no child can end between a look and the wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        signal.sigwait({signal.SIGCHLD})


def main(directory: Path) -> None:
    """Furnish, say so by a file, and stay."""
    furnish(directory)
    (directory / "furnished").touch()
    bury_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
