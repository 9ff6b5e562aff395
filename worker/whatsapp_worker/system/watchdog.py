"""Watch over a browser in a process of its own: freeze it when its time is over, end it when its worker has gone.

Run by path, and of the standard library only. It does not depend on the worker's loop: it works when that hangs or is
stopped. The worker's pipe carries lines: ``driver PID``, ``browser PID``, ``until SECONDS`` (of the boot clock, which
counts suspension). Past that time every process of the browser stands still until a later time is given. When the pipe
breaks, the worker has ended, however it ended: what still lives after a moment (the driver closes the browser by
itself, which writes its profile) is killed, stopped or not.
A parent-death signal was rejected: it would reach the driver, not the browser, and be delivered at a thread's end.
Source: the persistence protocol, section 4.
"""

import contextlib
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable

PATIENCE = 3.0
"""Seconds for the driver to close the browser by itself."""
AGAIN = 0.5
"""Seconds between two looks past the time: a snapshot that ends then lets the processes go on."""
_PROC = pathlib.Path("/proc")


def now() -> float:
    """Return seconds since boot, suspension included where the system tells."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Watchdog:
    """The worker's end of the pipe."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", __file__]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, bufsize=0
        )
        self.pid = self._process.pid

    def watch_driver(self, pids: Iterable[int]) -> None:
        """Let these processes follow the worker."""
        for pid in pids:
            self._tell(f"driver {pid}")

    def watch_browser(self, pid: int) -> None:
        """Let this process follow the worker, and stand still with all below it past its time."""
        self._tell(f"browser {pid}")

    def until(self, time: float) -> None:
        """Let the browser run until this time of the boot clock."""
        self._tell(f"until {time:.3f}")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        # A watchdog that was killed watches nothing (the next start tidies up), nor does one whose browser has ended:
        # ``close`` runs in another thread, so its pipe can be closed at any moment (ValueError).
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(f"{line}\n".encode())

    def close(self) -> None:
        """Stop the watchdog, which ends the watched processes that still run. Blocks until it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _stat(pid: int) -> list[str]:
    """Return the fields of a process after its name, [] if it is gone or there is no /proc."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _started(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields else ""


def _lives(pid: int, started: str) -> bool:
    if _PROC.is_dir():
        fields = _stat(pid)
        return bool(fields) and fields[0] not in "ZX" and fields[19] == started
    try:
        os.kill(pid, 0)  # without /proc a number must do
    except ProcessLookupError:
        return False
    return True


def _signal(roots: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to the processes and all below them; without /proc to their groups."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*"):
        if fields := _stat(int(entry.name)):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    todo = list(roots)
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        with contextlib.suppress(OSError):
            os.kill(pid, number) if children else os.killpg(pid, number)


class Watch:
    """What the watchdog knows."""

    def __init__(self) -> None:
        self._all: dict[int, str] = {}
        self._browsers: set[int] = set()
        self._until = float("inf")
        self._frozen = False

    def hear(self, line: bytes) -> None:
        """Take one line of the worker's."""
        word, _, value = line.decode().partition(" ")
        if word == "until":
            self._until = float(value)
            return
        self._all[int(value)] = _started(int(value))
        if word == "browser":
            self._browsers.add(int(value))

    def look(self) -> float:
        """Freeze or thaw as the time demands; returns seconds until the next look."""
        left = self._until - now()
        if left <= 0:
            _signal(self._alive() & self._browsers, signal.SIGSTOP)
            self._frozen = True
            return AGAIN
        if self._frozen:
            _signal(self._alive() & self._browsers, signal.SIGCONT)
            self._frozen = False
        return min(left, 3600.0)

    def _alive(self) -> set[int]:
        return {pid for pid, started in self._all.items() if _lives(pid, started)}

    def end(self) -> None:
        """Wait until everything has ended, then kill it: at once when it stands still."""
        deadline = now() + (0.0 if self._frozen else PATIENCE)
        while left := self._alive():
            if now() > deadline:
                _signal(left, signal.SIGKILL)
                return
            select.select([], [], [], 0.02)


def main() -> None:
    """Serve the worker's pipe until it breaks."""
    watch, rest = Watch(), b""
    while True:
        readable, _, _ = select.select([0], [], [], watch.look())
        if not readable:
            continue
        chunk = os.read(0, 4096)
        if not chunk:
            return watch.end()
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            watch.hear(line)


if __name__ == "__main__":
    main()
