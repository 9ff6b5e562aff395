"""End the browser of a worker that was killed: a process of its own, run by path, of the standard library only.

The worker writes the numbers of processes to its pipe, one a line. The pipe breaks when the worker ends, however it
ends. Then what still lives after a moment (the driver closes the browser by itself, which writes its profile) is
killed, stopped or not. In a container whose first process is the worker the kernel does all this.
A parent-death signal was rejected: it would reach the driver, not the browser, and be delivered at a thread's end.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator

PATIENCE = 3.0
"""Seconds for the driver to close the browser by itself."""
_PROC = pathlib.Path("/proc")


class Guard:
    """The worker's end of the pipe."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", __file__]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, bufsize=0
        )

    def watch(self, pids: Iterable[int]) -> None:
        """Let these processes follow the worker."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a guard that was killed guards nothing; the next start tidies up
            self._process.stdin.write("".join(f"{pid}\n" for pid in pids).encode())

    def close(self) -> None:
        """Let the guard go; it ends what it was told to watch and still lives. Blocks until it has gone."""
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


def _family(roots: Iterable[int]) -> Iterator[int]:
    """Yield the processes and all their descendants."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    todo = list(roots)
    while todo:
        pid = todo.pop()
        yield pid
        todo += children.get(pid, [])


def main() -> None:
    """Wait for the end of the pipe, then for the processes, then kill them."""
    watched = {int(line): _started(int(line)) for line in sys.stdin.buffer if line.strip().isdigit()}
    deadline = time.monotonic() + PATIENCE
    while left := [pid for pid, started in watched.items() if _lives(pid, started)]:
        if time.monotonic() > deadline:
            for pid in list(_family(left)):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.02)


if __name__ == "__main__":
    main()
