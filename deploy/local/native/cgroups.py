"""Control groups of a cluster's nodes, in each hierarchy of version 1 or in the one of version 2."""

import os
from pathlib import Path

from deploy.local.native import processes

ROOT = Path("/sys/fs/cgroup")
_UNIFIED_CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb")


def hierarchies(root: Path = ROOT) -> list[Path]:
    """Return the tops of the hierarchies: the mount itself with version 2, else one directory each."""
    if (root / "cgroup.controllers").exists():
        return [root]
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())


def create(group: str) -> None:
    """Create the group in each hierarchy, with the files that the kubelet expects there."""
    for top in hierarchies():
        if (top / "cgroup.controllers").exists():
            _delegate(top)
        path = top / group.lstrip("/")
        path.mkdir(exist_ok=True)
        if (path / "cgroup.controllers").exists():
            _delegate(path)
        for file in ("cpuset.cpus", "cpuset.mems"):
            # Version 1 only: a new group has none, and no process can enter it.
            if (path / file).exists() and not (top / "cgroup.controllers").exists():
                (path / file).write_text((top / file).read_text())


def _delegate(path: Path) -> None:
    available = (path / "cgroup.controllers").read_text().split()
    wanted = [f"+{name}" for name in _UNIFIED_CONTROLLERS if name in available]
    if wanted:
        (path / "cgroup.subtree_control").write_text(" ".join(wanted))


def remove(prefix: str) -> None:
    """Remove each top group whose name begins with `prefix`; wait for processes in it that are ending."""
    found = [path for top in hierarchies() for path in top.glob(f"{prefix.lstrip('/')}*") if path.is_dir()]
    processes.wait(
        lambda: all(map(_remove, found)),
        20,
        lambda: (
            f"the control groups {prefix}* to be empty; if the directory of a running cluster was deleted, end the"
            f" processes that the cgroup.procs files below {ROOT} list"
        ),
    )


def _remove(path: Path) -> bool:
    for parent, _, _ in os.walk(path, topdown=False):
        try:
            Path(parent).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False  # a process is still in it
    return True
