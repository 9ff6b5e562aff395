"""What a cluster could leave on a machine: recorded before it starts, compared after it is removed."""

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from deploy.local.native import cgroups

# Set by every kubelet for the whole machine.
KERNEL_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# Directories that containerd, kubelet and the network plugins create unless others are mounted over them.
DIRECTORIES = (
    "/run/containerd",
    "/run/flannel",
    "/run/netns",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
    "/opt/containerd",
    "/opt/cni",
    "/etc/cni",
    "/usr/libexec/kubernetes",
)


@dataclass(frozen=True, slots=True)
class State:
    """One line for each thing; `processes` are those of local clusters only."""

    processes: tuple[str, ...]
    mounts: tuple[str, ...]
    links: tuple[str, ...]
    routes: tuple[str, ...]
    cgroups: tuple[str, ...]
    firewall: tuple[str, ...]
    directories: tuple[str, ...]
    kernel: tuple[str, ...]

    @staticmethod
    def read(path: Path) -> "State":
        """Return a state that was written by `write`."""
        content = json.loads(path.read_text())
        return State(**{field.name: tuple(content[field.name]) for field in fields(State)})

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1))


def observe(directory: Path, mark: str, builds: Path) -> State:
    """Return the machine's state; of processes, those that use the `directory` or a control group with the `mark`.

    Mounts below `builds` are not counted: an image may be under construction there.
    """
    return State(
        processes=tuple(_processes(str(directory), mark)),
        mounts=tuple(sorted(line for line in _mounts() if not line.startswith(f"{builds}/"))),
        links=tuple(sorted(line.split()[1].split("@")[0] for line in _output("ip", "-o", "link", "show"))),
        routes=tuple(sorted(line.strip() for line in _output("ip", "-4", "route", "show"))),
        cgroups=tuple(sorted(_cgroups())),
        firewall=tuple(_firewall()),
        directories=tuple(path for path in DIRECTORIES if Path(path).exists()),
        kernel=tuple(f"{name} = {_setting(name)}" for name in KERNEL_SETTINGS if _setting(name) is not None),
    )


def left_behind(before: State, after: State, others: Iterable[str]) -> list[str]:
    """Return what exists after but did not exist before, one line each.

    Lines with the mark (addresses.link) of another running cluster, one of `others`, are left out;
    so are control groups below one that existed before.
    """
    marks = list(others)
    foreign_groups = tuple(f"{group}/" for group in before.cgroups)
    found = []
    for field in fields(State):
        old = set(getattr(before, field.name))
        for line in getattr(after, field.name):
            foreign = any(mark in line for mark in marks) or (field.name == "kernel" and (bool(marks) or not old))
            foreign = foreign or (field.name == "cgroups" and line.startswith(foreign_groups))
            if line not in old and not foreign:
                found.append(f"{field.name}: {line}")
    return found


def restore_kernel_settings(before: State) -> None:
    """Write back the settings of the whole kernel that the kubelet changed."""
    for line in before.kernel:
        name, value = line.split(" = ")
        if _setting(name) != value:
            Path("/proc/sys", name).write_text(value)


def _setting(name: str) -> str | None:
    path = Path("/proc/sys", name)
    return path.read_text().strip() if path.exists() else None


def _processes(directory: str, mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            groups = (entry / "cgroup").read_text()
            executable = str((entry / "exe").readlink())
        except OSError:
            continue  # it ended meanwhile, or is the kernel's own
        if directory in executable or f"{directory}/" in command or mark in groups:
            found.append(f"{entry.name} {command[:120].strip()}")
    return sorted(found)


def _mounts() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [f"{words[4]} ({words[words.index('-') + 1]})" for words in map(str.split, lines)]


def _cgroups() -> list[str]:
    # Not Path.rglob: it fails when another cluster removes a group meanwhile.
    walks = (walk for top in cgroups.hierarchies() for walk in os.walk(top))
    return [f"{parent}/{name}" for parent, below, _ in walks for name in below]


def _firewall() -> list[str]:
    lines = []
    for tool in ("iptables-save", "ip6tables-save"):
        lines += [f"{tool}: {line}" for line in _output(tool) if line and line[0] in "-:*"]
    return [line.split(" [")[0] for line in lines]


def _output(*command: str) -> list[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    except FileNotFoundError:
        return []
