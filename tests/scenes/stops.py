"""Stop a command at a chosen moment of its start, as a terminal or a service manager does: its whole process group."""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PATIENCE = 120.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)
HAS_ENDED = "the command has ended by itself"
_BIN = pathlib.Path(sys.executable).parent
_TERM = 1 << (signal.SIGTERM - 1)


def moments(chance: random.Random, seconds: float) -> list[float]:
    """Return moments of a start that takes so long: two by chance, in the soak one in each thirtieth part."""
    parts = 30 if os.environ.get("WSO_SOAK") else 2
    return [(part + chance.random()) * seconds / parts for part in range(parts)]


@dataclass
class Start:
    """A command that starts, its output and what it is stopped by."""

    process: subprocess.Popen[str]
    log: pathlib.Path

    @classmethod
    def of(cls, command: Sequence[str], log: pathlib.Path) -> "Start":
        """Start a command of the product."""
        with log.open("w") as stream:
            line = [str(_BIN / command[0]), *command[1:]]
            process = subprocess.Popen(
                line, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, text=True, start_new_session=True
            )
        return cls(process, log)

    @property
    def said(self) -> str:
        """What it has said on both outputs."""
        return self.log.read_text()

    def until(self, reached: Callable[[str], bool]) -> float:
        """Wait until its output shows that it has come so far, or until it ends; returns the seconds it took."""
        begun = time.monotonic()
        while self.process.poll() is None and not reached(self.said):
            if time.monotonic() - begun > PATIENCE:
                raise AssertionError(f"the command did not come so far; it says:\n{self.said}")
            time.sleep(0.005)
        return time.monotonic() - begun

    def stopped(self, number: signal.Signals, after: float) -> int:
        """Let its first line come, and so many seconds pass, unless it ends before; returns the exit code."""
        self.until(lambda _: self._listens())
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(after)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        return self.process.wait(PATIENCE)

    def _listens(self) -> bool:
        """Tell whether it catches SIGTERM: what Python itself does before is not the command's."""
        with contextlib.suppress(OSError):
            status = (pathlib.Path("/proc") / str(self.process.pid) / "status").read_text()
            caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), "0")
            return bool(int(caught, 16) & _TERM)
        return True

    def close(self) -> None:
        """Kill what is left of its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def assert_quiet(said: str) -> None:
    """Fail at a traceback or at an error that Python or a library logged."""
    for words in ("Traceback", "never retrieved", "Exception ignored", "level=ERROR", "Fatal Python error"):
        assert words not in said, said
