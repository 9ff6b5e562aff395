"""Run other programs: return what they print, or raise one sentence that says what failed."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Protocol

from deploy.local.errors import LocalClusterError

_NOTHING: Mapping[str, str] = {}
_LAST_LINES = 8


class Commands(Protocol):
    """The programs of this machine; `tests/fakes/commands.py` holds the fake."""

    def find(self, program: str) -> str | None:
        """Return the path of a program on PATH; None if there is none."""
        ...

    def succeeds(self, command: Sequence[str], timeout: float = 300) -> bool:
        """Return whether the command ends with exit code 0 within `timeout` seconds."""
        ...

    def output(
        self, command: Sequence[str], what: str, stdin: str = "", environment: Mapping[str, str] = _NOTHING
    ) -> str:
        """Return what the command prints; raise LocalClusterError, which begins with `what`, if it fails."""
        ...


class SystemCommands:
    """The real programs."""

    def find(self, program: str) -> str | None:
        return shutil.which(program)

    def succeeds(self, command: Sequence[str], timeout: float = 300) -> bool:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout)
        except (OSError, subprocess.TimeoutExpired):
            return False  # a network that drops packets refuses nothing
        return done.returncode == 0

    def output(
        self, command: Sequence[str], what: str, stdin: str = "", environment: Mapping[str, str] = _NOTHING
    ) -> str:
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, env={**os.environ, **environment}, check=False
            )
        except OSError as error:
            raise LocalClusterError(f"{what} failed: {error}") from error
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-_LAST_LINES:]
            raise LocalClusterError(f"{what} failed: " + ("\n".join(last) or f"exit code {done.returncode}"))
        return done.stdout


SYSTEM = SystemCommands()
