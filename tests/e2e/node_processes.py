"""The processes and logs of pods, as the machine sees them: they stay in sight when their node is cut off."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from deploy.local.native import cgroups

LOOK = 0.05
"""Seconds between two looks at the browsers."""
_STANDS_STILL = frozenset("TtZX")
_SIGKILL, _EXITING = 1 << 8, 0x4
"""Bits of pending signals, and of a process' flags in the kernel."""
_PROC = Path("/proc")


def of_pod(uid: str) -> list[int]:
    """Return the processes of a pod: those whose control group names its UID."""
    found = []
    for entry in _PROC.glob("[0-9]*/cgroup"):
        try:
            if uid in entry.read_text():
                found.append(int(entry.parent.name))
        except OSError:
            continue  # the process ended meanwhile
    return found


def main_process(uid: str, program: str) -> int:
    """Return the first process of a pod's program."""
    found = [pid for pid in of_pod(uid) if program.encode() in command(pid)]
    assert found, f"no process {program} of pod {uid}"
    return min(found)


def command(pid: int) -> bytes:
    """Return a process' command line, b"" when it has ended."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def gone(pid: int) -> bool:
    """Return whether a process has ended."""
    return _state(pid) in ("", "Z", "X")


def _state(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _runs(pid: int) -> bool:
    """Return whether a process can run a line of its own.

    One that stands still and gets SIGKILL is called running while the kernel takes it apart: its own code never is.
    """
    try:
        killed = {
            bool(int(line.split()[1], 16) & _SIGKILL)
            for line in (_PROC / str(pid) / "status").read_text().splitlines()
            if line.startswith(("SigPnd:", "ShdPnd:"))
        }
        state, *fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return True not in killed and state not in _STANDS_STILL and not int(fields[5]) & _EXITING


def _is_browser(pid: int) -> bool:
    """Tell whether this is a browser's first process, which started its others."""
    words = command(pid)
    return b"--user-data-dir" in words and b"--type=" not in words and b"chrom" in words.split(b"\0")[0]


@dataclass(slots=True)
class Browsers:
    """Look all the time which pods' browsers run, and are not frozen."""

    groups: Sequence[str]
    """The control groups of the nodes."""
    seen: list[tuple[float, frozenset[str]]] = field(default_factory=list)
    """Seconds of the wall clock, and the UIDs of the pods with a browser that runs from then on."""
    _known: dict[int, bool] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Browsers":
        self._thread = threading.Thread(target=self._run, name="browsers")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def runs(self, uid: str) -> bool:
        """Return whether a pod's browser ran at the last look."""
        return bool(self.seen) and uid in self.seen[-1][1]

    def first(self, uid: str) -> float:
        """Return when a pod's browser was first seen to run."""
        return next(moment for moment, running in self.seen if uid in running)

    def last(self, uid: str) -> float:
        """Return when a pod's browser was first seen to stand still for good, infinity while it runs."""
        beyond = float("inf")
        for moment, running in reversed(self.seen):
            if uid in running:
                return beyond
            beyond = moment
        return beyond

    def _run(self) -> None:
        while not self._ended.wait(LOOK):
            now, running = time.time(), self._look()
            if not self.seen or self.seen[-1][1] != running:
                self.seen.append((now, running))

    def _look(self) -> frozenset[str]:
        top, running = cgroups.hierarchies()[0], set()
        for group in self.groups:
            for file in (top / group.lstrip("/")).glob("kubepods/**/pod*/*/cgroup.procs"):
                uid = file.parent.parent.name.removeprefix("pod")
                if any(self._browser(pid) and _runs(pid) for pid in _pids(file)):
                    running.add(uid)
        return frozenset(running)

    def _browser(self, pid: int) -> bool:
        if not self._known.get(pid):
            self._known[pid] = _is_browser(pid)  # a process may become one by exec
        return self._known[pid]


def _pids(file: Path) -> list[int]:
    try:
        return [int(line) for line in file.read_text().split()]
    except OSError:
        return []  # the container ended meanwhile


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: seconds of the wall clock, who says so, and what."""

    at: float
    who: str
    what: str


def log_lines(directories: Sequence[Path], uid: str, who: str) -> list[Line]:
    """Return what a pod's containers wrote, from the kubelets' own files: they can be read while a node is cut off."""
    lines = []
    for file in sorted(file for logs in directories for file in logs.glob(f"*_{uid}/*/*.log")):
        for text in file.read_text(errors="replace").splitlines():
            stamp, _, _, words = text.split(" ", 3)
            lines.append(Line(datetime.fromisoformat(stamp[:26] + "+00:00").timestamp(), who, words))
    return lines
