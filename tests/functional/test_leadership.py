"""Several operators as processes on a real API server: one works, another follows, and a foreign one is refused."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from functional.callers import wait
from functional.conftest import OPERATOR_NAMESPACE
from functional.operators import LEASE, TAKE_OVER_SECONDS, Operators
from functional.world import Place, World


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
