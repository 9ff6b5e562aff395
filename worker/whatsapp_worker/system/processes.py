"""Find, stop, continue and end processes. The only user of psutil.

Linux is what the tests run on. macOS has no /proc: there psutil's status of the whole process stands in for the state
of each thread (written without a Mac to try it on).
"""

import contextlib
import os
import pathlib
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from whatsapp_worker import errors
from whatsapp_worker.system import steady_clock

_PROC = pathlib.Path("/proc")
_STORAGE = "--utility-sub-type=storage.mojom.StorageService"
_PATIENCE = 0.020
"""Seconds within which a freeze must be complete, else it is undone and tried again: the page must not notice."""
_TRIES = 5
_LAST_TRY = 2.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be mistaken for a later one of the same number."""

    pid: int
    start_time: float


def me() -> Identity:
    """Return this process."""
    return Identity(os.getpid(), psutil.Process().create_time())


def alive(identity: Identity) -> bool:
    """Tell whether exactly this process exists and is no zombie."""
    try:
        process = psutil.Process(identity.pid)
        return abs(process.create_time() - identity.start_time) < 0.05 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def boot_id() -> str:
    """Return what changes at each boot."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"boot-{psutil.boot_time():.0f}"


def find_browser(user_data_dir: pathlib.Path) -> psutil.Process:
    """Return the browser's main process among our descendants; raises BrowserError if there is none."""
    wanted = f"--user-data-dir={user_data_dir}"
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            arguments = process.cmdline()
            if wanted in arguments and not any(argument.startswith("--type=") for argument in arguments):
                return process
    raise errors.BrowserError("the browser's process was not found")


def identify(process: psutil.Process) -> Identity:
    """Return the process' identity; raises BrowserError if it is gone."""
    try:
        return Identity(process.pid, process.create_time())
    except psutil.Error:
        raise errors.BrowserError("the browser's process is gone") from None


def writers(browser: Identity) -> list[psutil.Process]:
    """Return the processes that write the profile: the browser (IndexedDB) and its storage service (localStorage).

    headless-shell has no storage service: there the browser writes both.
    """
    try:
        root = psutil.Process(browser.pid)
        found = [root]
        for process in root.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if _STORAGE in process.cmdline():
                    found.append(process)
        return found
    except psutil.Error:
        raise errors.BrowserError("the browser's process is gone") from None


def _stopped(process: psutil.Process) -> bool:
    """Tell whether no thread of the process runs; one that is gone writes nothing."""
    tasks = _PROC / str(process.pid) / "task"
    try:
        if not _PROC.is_dir():
            return process.status() == psutil.STATUS_STOPPED
        for task in tasks.iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if (task / "stat").read_text().rpartition(")")[2].split()[0] not in "TtZX":
                    return False
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return True
    return True


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _all_stopped(processes: Sequence[psutil.Process], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not all(_stopped(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        steady_clock.pause(0.0005)
    return True


@contextlib.contextmanager
def frozen(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Stop every thread of the processes while the block runs.

    kill() returns before the threads have stopped, so their states are read. Raises SnapshotFailed if they do not stop.
    """
    try:
        for attempt in range(_TRIES + 1):
            _signal(processes, signal.SIGSTOP)
            if _all_stopped(processes, _PATIENCE if attempt < _TRIES else _LAST_TRY):
                break
            _signal(processes, signal.SIGCONT)
        else:
            raise errors.SnapshotFailed("the browser's processes did not stop for the copy")
        yield
    finally:
        _signal(processes, signal.SIGCONT)


def kill_tree(browser: Identity) -> None:
    """Kill the browser and all its descendants, if it is still that process; waits until they are gone."""
    if not alive(browser):
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(browser.pid)
        family = [*root.children(recursive=True), root]
        _signal(family, signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)


def memory(top: Identity) -> int:
    """Return the proportional memory of a process and all below it in bytes, 0 if it is gone."""
    total = 0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(top.pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += getattr(process.memory_full_info(), "pss", process.memory_info().rss)
    return total


def reap(known: frozenset[int]) -> int:
    """Collect zombies that fell to this process, the first of its container; returns how many.

    ``known`` are children that somebody else waits for.
    """
    count = 0
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error, ChildProcessError):
            if child.pid not in known and child.status() == psutil.STATUS_ZOMBIE:
                count += os.waitpid(child.pid, os.WNOHANG)[0] != 0
    return count


def exists(pid: int) -> bool:
    """Tell whether any process has this number."""
    return psutil.pid_exists(pid)
