"""The first process of a cluster: it mounts what the programs need, then reaps orphaned processes.

A script, not a part of the package: `python init.py DIRECTORY`. It runs in network, mount and
process namespaces of its own. When it is killed the kernel kills every process of the cluster and
removes mounts, links and firewall rules with the namespaces: no clean-up list can be incomplete.
Directories of the cluster are mounted over the paths that containerd, kubelet and the network plugins have built in.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

PREPARED = "prepared"  # the file that says so
# A path, and the directory below the cluster's that is mounted over it; None: a tmpfs.
COVERED = {"/run": None, "/var/lib": "var-lib", "/var/log": "var-log"}


def run(*command: str) -> None:
    """Run a command; its failure ends the cluster, with its message in the log."""
    subprocess.run(command, check=True)


def prepare(directory: Path) -> None:
    """Mount the file systems and switch on the network settings that the programs of a node expect."""
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


def reap_forever() -> None:
    """Wait for children of this process, for ever."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The signal is blocked and waited for: no child can end unnoticed between waitpid and the wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        signal.sigwait({signal.SIGCHLD})


def main(directory: Path) -> None:
    """Prepare the namespaces, create the file PREPARED, and stay."""
    prepare(directory)
    (directory / PREPARED).touch()
    reap_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
