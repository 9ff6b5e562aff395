"""Read what a tree of processes takes: memory as the kernel counts it, CPU with that of children that have ended."""

import contextlib
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

_BROWSER = "chrom"
"""What the program of each of a browser's processes is called: chromium, chrome-headless-shell."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in MiB; private is what the tree alone has written, so what one more session adds."""

    pss: float
    private: float
    keeper: float
    """Private memory of everything beside the browser."""


def memory(top: psutil.Process) -> Memory:
    """Return the memory of a process and all below it."""
    pss = private = keeper = 0.0
    for process in _tree(top):
        with contextlib.suppress(OSError, psutil.Error):
            told = _rollup(process.pid)
            pss += told["Pss"]
            private += told["Private_Dirty"]
            keeper += 0.0 if _is_of_browser(process) else told["Private_Dirty"]
    return Memory(pss, private, keeper)


def cpu(top: psutil.Process) -> float:
    """Return the seconds of CPU that a process and all below it have taken, with those that have ended."""
    total = 0.0
    for process in _tree(top):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def parts(top: psutil.Process) -> list[tuple[str, float]]:
    """Return each process of the tree by its kind, with its private memory in MiB."""
    found = []
    for process in _tree(top):
        with contextlib.suppress(OSError, psutil.Error):
            found.append((_kind(process), _rollup(process.pid)["Private_Dirty"]))
    return found


def _tree(top: psutil.Process) -> Iterator[psutil.Process]:
    yield top
    with contextlib.suppress(psutil.Error):
        yield from top.children(recursive=True)


def _rollup(pid: int) -> dict[str, float]:
    told = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        value, _, unit = rest.strip().partition(" ")
        if unit == "kB":
            told[name] = int(value) / 1024
    return told


def _is_of_browser(process: psutil.Process) -> bool:
    return _BROWSER in pathlib.Path((process.cmdline() or [process.name()])[0]).name


def _kind(process: psutil.Process) -> str:
    command = process.cmdline()
    if not _is_of_browser(process):
        return "watchdog" if any(part.endswith("watchdog.py") for part in command) else process.name()
    told = [part.partition("=")[2] for part in command if part.startswith(("--type=", "--utility-sub-type="))]
    return told[-1].partition(".")[0] if told else "browser"
