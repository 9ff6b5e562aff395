"""Look at and signal processes that may end meanwhile: a browser's come and go by themselves."""

import contextlib
import signal
from collections.abc import Sequence

import psutil


def command_line(process: psutil.Process) -> list[str]:
    """Return a process's command line, [] if it has gone meanwhile."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def is_root(process: psutil.Process) -> bool:
    """Tell whether this is a browser's first process, which started its others."""
    command = command_line(process)
    return bool(command) and not any("--type=" in part for part in command)


def is_renderer(process: psutil.Process) -> bool:
    """Tell whether this is a process of a browser's that holds a page."""
    return "--type=renderer" in command_line(process)


def send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those of the processes that are still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def states(processes: Sequence[psutil.Process]) -> list[str]:
    """Return the states of those of the processes that are still there."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running():
                found.append(str(process.status()))
    return found


def running(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return those of the processes that have not ended; one that only waits to be reaped has."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
