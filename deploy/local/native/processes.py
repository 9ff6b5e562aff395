"""Start, record and end processes: each in its own group, identified by pid and start time.

A pid alone may belong to another process after a reboot or a wrap; pid and start time together do not.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.local.errors import LocalClusterError

Predicate = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Record:
    """A process that was started: `started` is in clock ticks since the boot."""

    name: str
    pid: int
    started: int


def start_time(pid: int) -> int | None:
    """Return when the process started, in clock ticks since the boot; None if it is gone (or a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold spaces: count the fields from the last parenthesis.
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def record(name: str, pid: int) -> Record:
    """Return the record of a process that runs; raise LocalClusterError if it is gone already."""
    started = start_time(pid)
    if started is None:
        raise LocalClusterError(f"{name} ended right after its start.")
    return Record(name, pid, started)


def alive(one: Record) -> bool:
    """Return whether this very process still runs."""
    return start_time(one.pid) == one.started


def save(directory: Path, one: Record) -> None:
    """Write the record to `directory`, where `load` finds it."""
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f".{one.name}"
    temporary.write_text(json.dumps(asdict(one)))
    temporary.replace(directory / f"{one.name}.json")


def load(directory: Path) -> list[Record]:
    """Return what was saved in `directory`, by name."""
    return [Record(**json.loads(path.read_text())) for path in sorted(directory.glob("*.json"))]


def end(records: Iterable[Record], grace: float) -> None:
    """End the processes and their groups: SIGTERM, then SIGKILL for those that run after `grace` seconds."""
    records = [one for one in records if alive(one)]
    for one in records:
        _signal(one, signal.SIGTERM)
    if not poll(lambda: not any(map(alive, records)), grace):
        for one in records:
            _signal(one, signal.SIGKILL)
        wait(lambda: not any(map(alive, records)), 60, lambda: f"the end of {_living(records)}")


def _living(records: Iterable[Record]) -> str:
    return ", ".join(f"{one.name} (pid {one.pid})" for one in records if alive(one))


def _signal(one: Record, number: signal.Signals) -> None:
    if not alive(one):
        return
    try:
        group = os.getpgid(one.pid)
        if group == one.pid:
            os.killpg(group, number)
        else:
            os.kill(one.pid, number)
    except ProcessLookupError:
        pass  # it ended between the check and the signal


def poll(done: Predicate, seconds: float, interval: float = 0.05) -> bool:
    """Return whether `done` became true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def wait(done: Predicate, seconds: float, waited_for: Callable[[], str]) -> None:
    """Return when `done` is true; after `seconds` raise LocalClusterError, which names what was waited for."""
    if not poll(done, seconds):
        raise LocalClusterError(f"Waited {seconds:.0f} s without success for {waited_for()}.")


@dataclass(slots=True)
class Children:
    """Processes that end with the thread that started them, with one log file each.

    The kernel kills them when their parent dies (setpriv --pdeathsig), so that a killed test run
    leaves none of them.
    """

    logs: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process; its output goes to `<logs>/<name>.log`."""
        self.logs.mkdir(parents=True, exist_ok=True)
        guard = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        with (self.logs / f"{name}.log").open("ab") as sink:
            self.running[name] = subprocess.Popen(
                [*guard, *command], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )

    def ended(self) -> str | None:
        """Return the name of a process that ended; None while all run."""
        return next((name for name, process in self.running.items() if process.poll() is not None), None)

    def last_lines(self, name: str, count: int = 5) -> str:
        """Return the end of the log of one process."""
        return last_lines(self.logs / f"{name}.log", count)

    def stop(self) -> None:
        """End all: newest first, SIGTERM, then SIGKILL after 5 s."""
        for process in reversed(self.running.values()):
            process.terminate()
        for process in reversed(self.running.values()):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()


def last_lines(log: Path, count: int = 5) -> str:
    """Return the last lines of a log; empty when there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""
