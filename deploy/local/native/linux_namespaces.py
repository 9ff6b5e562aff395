"""The Linux namespaces of a cluster: created, entered and ended through their first process."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.commands import SYSTEM
from deploy.local.errors import LocalClusterError
from deploy.local.native import addresses, init, processes

_HERE = Path(__file__).parent
_INIT = "init"


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Network, mount and process namespace of the cluster that lives in `directory`."""

    directory: Path
    first: processes.Record

    def run(self, command: Sequence[str]) -> None:
        """Run a command inside; LocalClusterError if it fails."""
        SYSTEM.output([*self._enter(), *command], f"`{' '.join(command[:4])}` in the cluster's namespaces")

    def start(self, name: str, command: Sequence[str]) -> processes.Record:
        """Start a program inside; its log is `logs/<name>.log`, its record in `pids`."""
        log = self.directory / "logs" / f"{name}.log"
        one = _launch([*self._enter(), "--no-fork"], name, log, command)
        processes.save(self.directory / "pids", one)
        return one

    def _enter(self) -> list[str]:
        return ["nsenter", "--target", str(self.first.pid), "--net", "--mount", "--pid"]


def create(directory: Path) -> Namespaces:
    """Create the namespaces; return when the first process has prepared them."""
    guard_covered_paths(directory)
    log = directory / "logs" / f"{_INIT}.log"
    unshare = ["unshare", "--net", "--mount", "--pid", "--propagation", "slave"]
    prepared = directory / init.PREPARED
    first = _launch(unshare, _INIT, log, [sys.executable, str(_HERE / "init.py"), str(directory)])
    processes.save(directory / _INIT, first)
    processes.wait(lambda: prepared.exists() or not processes.alive(first), 20, lambda: "the cluster's namespaces")
    if not prepared.exists():
        raise LocalClusterError(f"The cluster's namespaces cannot be prepared: {processes.last_lines(log, 1)}")
    return Namespaces(directory, first)


def find(directory: Path) -> Namespaces | None:
    """Return the namespaces of a cluster that runs; None when there is none."""
    living = filter(processes.alive, processes.load(directory / _INIT))
    return next((Namespaces(directory, one) for one in living), None)


def end(directory: Path) -> None:
    """Kill the first process and so every process of the cluster; return when all have ended."""
    found = find(directory)
    if found is None:
        return
    os.kill(found.first.pid, 9)
    # The kernel ends the first process only after all the others.
    processes.wait(lambda: not processes.alive(found.first), 60, lambda: "the end of the cluster's processes")


def guard_covered_paths(directory: Path) -> None:
    """Raise LocalClusterError if the directory would be hidden inside the namespaces, or is too long."""
    for path in init.COVERED:
        if directory.is_relative_to(path):
            raise LocalClusterError(f"The cache cannot be below {path}: set WSO_CACHE_DIR to another directory.")
    if len(str(directory)) > addresses.LONGEST_DIRECTORY:
        raise LocalClusterError(f"{directory} is too long for sockets in it: set WSO_CACHE_DIR to a shorter path.")


def _launch(prefix: Sequence[str], name: str, log: Path, command: Sequence[str]) -> processes.Record:
    log.parent.mkdir(parents=True, exist_ok=True)
    launcher = [sys.executable, "-I", str(_HERE / "launch.py"), str(log), *command]
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(log.parent)}
    done = subprocess.run([*prefix, *launcher], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise LocalClusterError(f"{name} cannot be started: {done.stderr.strip().splitlines()[-1]}")
    return processes.record(name, int(done.stdout))
