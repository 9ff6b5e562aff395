"""Several operators as processes on a real API server: one works, another follows, and a foreign one is refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from functional.callers import wait
from functional.conftest import IMAGE, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE
from functional.world import Place, World

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

    def start(self, *more: str, lease: str = LEASE) -> "subprocess.Popen[bytes]":
        """Start one; its log is in the directory of the test."""
        self.number += 1
        place = self.directory / f"operator-{self.number}"
        place.mkdir()
        file = self.world.kubeconfig(place, self.world.token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT))
        command = [str(PROGRAM), "run", "--kubeconfig", str(file), "--worker-image", IMAGE, "--max-starting", "1000"]
        command += ["--leader-elect-namespace", OPERATOR_NAMESPACE, "--leader-elect-name", lease, *more]
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self.stack.callback(end, process)
        return process

    def log(self, number: int) -> str:
        """Return what one has logged."""
        return (self.directory / f"operator-{number}" / "log").read_text()

    def holder(self, lease: str = LEASE) -> str:
        """Return who leads."""
        found = self.world.admin.get("Lease", OPERATOR_NAMESPACE, lease) or {}
        return str(found.get("spec", {}).get("holderIdentity") or "")

    def leads(self, number: int) -> bool:
        """Return whether one has taken the lead at any time."""
        return "leading: lease=" in self.log(number)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that a test started."""
    process.kill()
    process.wait()


@pytest.fixture
def operators(world: World, tmp_path: Path) -> Iterator[Operators]:
    """The operators of a test."""
    with ExitStack() as stack:
        yield Operators(world, tmp_path, stack)


def served(place: Place, name: str, log: str = "") -> None:
    """Make a session, and wait until an operator has made its pod."""
    place.session(name)
    wait(lambda: place.pod(name), lambda: f"the pod of {name}; {log}", TAKE_OVER_SECONDS)


def test_a_killed_leader_is_followed_and_no_pod_is_disturbed(operators: Operators, place: Place) -> None:
    place.store()
    leader = operators.start()
    wait(lambda: operators.leads(1), lambda: f"the first to lead: {operators.log(1)}")
    operators.start()
    served(place, "before", operators.log(1))
    pod = place.pod("before")
    wait(lambda: "standing by" in operators.log(2), lambda: f"the second to stand by: {operators.log(2)}")
    leader.kill()
    wait(lambda: operators.leads(2), lambda: f"the second to lead: {operators.log(2)}", TAKE_OVER_SECONDS)
    served(place, "after", operators.log(2))
    assert place.pod("before") == pod, "written by nobody"


def test_a_leader_that_is_asked_to_stop_is_followed_at_once(operators: Operators) -> None:
    leader = operators.start()
    wait(lambda: operators.leads(1), lambda: f"the first to lead: {operators.log(1)}")
    operators.start()
    wait(lambda: "standing by" in operators.log(2), lambda: f"the second to stand by: {operators.log(2)}")
    leader.terminate()
    assert leader.wait(30) == 0
    wait(lambda: operators.leads(2), lambda: f"the second to lead: {operators.log(2)}")


@pytest.mark.parametrize("moment", ["leading: lease=", "started: server="])
def test_a_paused_leader_that_comes_back_stands_by_and_starts_nothing(
    operators: Operators, place: Place, moment: str
) -> None:
    place.store()
    leader = operators.start()
    wait(lambda: moment in operators.log(1), lambda: f"the first to log {moment!r}: {operators.log(1)}")
    operators.start()
    os.kill(leader.pid, signal.SIGSTOP)
    try:
        wait(lambda: operators.leads(2), lambda: f"the second to lead: {operators.log(2)}", TAKE_OVER_SECONDS)
        served(place, "meanwhile", operators.log(2))
    finally:
        os.kill(leader.pid, signal.SIGCONT)
    holder = operators.holder()
    wait(lambda: "leadership lost" in operators.log(1), lambda: f"the first to give up: {operators.log(1)}")
    stands_by = f"standing by: leader={holder}"
    wait(lambda: stands_by in operators.log(1), lambda: f"the first to stand by: {operators.log(1)}", TAKE_OVER_SECONDS)
    assert leader.poll() is None
    assert "Traceback" not in operators.log(1)


def test_an_operator_beside_that_of_another_installation_says_so_and_ends(operators: Operators) -> None:
    operators.start()
    wait(lambda: operators.leads(1), lambda: f"the first to lead: {operators.log(1)}")
    foreign = operators.start(lease="of-a-laptop")
    assert foreign.wait(60) == 1
    (line,) = [line for line in operators.log(2).splitlines() if "another operator (" in line]
    assert f"{OPERATOR_NAMESPACE}/{LEASE}" in line
    assert "--namespace" in line
    assert operators.holder("of-a-laptop") == "", "it holds nothing"
    beside = operators.start("--namespace", "elsewhere", "--health-port", "0", lease="of-a-laptop")
    wait(lambda: operators.leads(3), lambda: f"the third, of another namespace: {operators.log(3)}")
    assert beside.poll() is None, operators.log(3)
