"""Operators of one or several installations, as processes on a real API server."""

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from functional.conftest import IMAGE, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE
from functional.world import World
from scenes import wrong_clock

LEASE = "whatsapp-session-operator"
PROGRAM = Path(sys.executable).with_name("whatsapp-operator")
TAKE_OVER_SECONDS = 45.0
"""Three times of what is promised, because machines are shared."""


@dataclass
class Operators:
    """Starts operators of one or several installations, and ends them with the test."""

    world: World
    directory: Path
    stack: ExitStack
    number: int = 0
    seen: set[str] = field(default_factory=set)
    """Versions of the Lease that were seen."""
    running: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def start(self, *more: str, lease: str = LEASE, ahead: float = 0.0) -> "subprocess.Popen[bytes]":
        """Start one, with a clock that is ahead by so many seconds; its log is in the directory of the test."""
        self.number += 1
        place = self.directory / f"operator-{self.number}"
        place.mkdir()
        file = self.world.kubeconfig(place, self.world.token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT))
        command = [str(PROGRAM), "run", "--kubeconfig", str(file), "--worker-image", IMAGE, "--max-starting", "1000"]
        command += ["--leader-elect-namespace", OPERATOR_NAMESPACE, "--leader-elect-name", lease, *more]
        with (place / "log").open("wb") as log:
            env = {**os.environ, **(wrong_clock.environment(ahead) if ahead else {})}
            process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        self.stack.callback(end, process)
        self.running.append(process)
        return process

    def log(self, number: int) -> str:
        """Return what one has logged."""
        return (self.directory / f"operator-{number}" / "log").read_text()

    def holder(self, lease: str = LEASE) -> str:
        """Return who leads."""
        found = self.world.admin.get("Lease", OPERATOR_NAMESPACE, lease) or {}
        return str(found.get("spec", {}).get("holderIdentity") or "")

    def renewals(self, lease: str = LEASE) -> int:
        """Return a number that grows with each write of the Lease."""
        found = self.world.admin.get("Lease", OPERATOR_NAMESPACE, lease) or {}
        version = str(found.get("metadata", {}).get("resourceVersion", ""))
        self.seen.add(version)
        return len(self.seen)

    def leads(self, number: int) -> bool:
        """Return whether one has taken the lead at any time."""
        return "leading: lease=" in self.log(number)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that a test started."""
    process.kill()
    process.wait()
