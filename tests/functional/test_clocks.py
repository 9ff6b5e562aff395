"""An operator whose clock is wrong by days, beside an API server, nodes and users whose clocks are right."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.local.native import pki
from functional.callers import Manifest, wait
from functional.conftest import INSTALL, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, installed
from functional.operators import TAKE_OVER_SECONDS, Operators
from functional.worker import connected, stamp
from functional.world import Place, World
from scenes import wrong_clock
from scenes.wrong_clock import DAY
from whatsapp_session import names, timestamps

wrong = pytest.mark.parametrize("ahead", [-3 * DAY, 3 * DAY], ids=["-3 d", "+3 d"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A control plane whose certificates are ten days old: most clusters are older than a clock is wrong."""
    create = pki.create

    def aged(directory: Path, common_name: str, identities: Sequence[pki.Identity]) -> pki.Authority:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in wrong_clock.environment(-10 * DAY).items():
                environment.setenv(name, value)
            return create(directory, common_name, identities)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pki, "create", aged)
        with installed(tmp_path_factory.mktemp("clocks"), INSTALL) as made:
            yield made


class Operator:
    """The command on a machine whose clock is ahead by so many seconds."""

    def __init__(self, world: World, directory: Path, ahead: float) -> None:
        file = world.kubeconfig(directory, world.token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT))
        program = Path(sys.executable).parent / "whatsapp-operator"
        line = [str(program), "run", "--worker-image=worker:1", f"--kubeconfig={file}"]
        self._log = directory / f"operator{ahead:+.0f}.log"
        with self._log.open("wb") as sink:
            env = {**os.environ, **wrong_clock.environment(ahead)}
            self.running = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=env)

    @property
    def said(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        self.running.terminate()
        self.running.wait(30)


def request(place: Place, kind: str, session: str) -> str:
    """Request something now, by a clock that is right; returns the time."""
    time = stamp()
    annotations = {names.request_annotation(kind): time}
    place.admin.merge(names.SESSION_KIND, place.name, session, {"metadata": {"annotations": annotations}})
    return time


def on_the_lease(place: Place, session: str, kind: str) -> str | None:
    """Return the time of a request that the operator has passed on."""
    found: dict[str, str] = (place.lease(session) or {"metadata": {}})["metadata"].get("annotations") or {}
    return found.get(names.request_annotation(kind))


def replaced(pod: Manifest, uid: str) -> bool:
    """Return whether a pod is not the one of this UID, or is being deleted."""
    return "deletionTimestamp" in pod["metadata"] or pod["metadata"]["uid"] != uid


@wrong
def test_sessions_start_requests_are_handled_and_times_are_right(
    world: World, place: Place, tmp_path: Path, ahead: float
) -> None:
    place.store()
    place.session("support")
    with contextlib.closing(Operator(world, tmp_path, ahead)) as operator:
        worker = place.wait_worker("support").runs()
        worker.says("Connected", **connected())
        status = place.wait_phase("support", "Connected", "ArchiveVerified")
        moments = [timestamps.seconds(item["lastTransitionTime"]) for item in status["conditions"]]
        assert all(moment is not None and abs(moment - time.time()) < 600 for moment in moments)
        saved = request(place, "save", "support")
        wait(lambda: on_the_lease(place, "support", "save") == saved, lambda: f"the request; {operator.said}")
        request(place, "restart", "support")
        wait(lambda: (pod := place.pod("support")) is None or replaced(pod, worker.uid), "the pod to be replaced")
        worker.vanishes()
        place.wait_worker("support")
        assert [event for event in place.events("support") if "gnored" in event["reason"]] == []
        assert "API server's; set it; the operator goes by the API server's" in operator.said


@wrong
def test_pauses_last_as_long_as_they_should(world: World, place: Place, tmp_path: Path, ahead: float) -> None:
    place.store()
    for name in ("crashed", "banned"):
        place.session(name)
    with contextlib.closing(Operator(world, tmp_path, ahead)):
        crashed, banned = place.wait_worker("crashed").runs(), place.wait_worker("banned").runs()
        banned.ends(4, "TemporarilyBanned", "WhatsApp asks for patience", phase="Running")
        place.wait_phase("banned", "Failed", "TemporarilyBanned")
        banned.vanishes()
        crashed.ends(1, phase="Failed")
        wait(
            lambda: place.status("crashed").get("worker", {}).get("last", {}).get("failures") == 1, "the end to be seen"
        )
        seen = time.monotonic()
        crashed.vanishes()
        again = wait(lambda: (found := place.pod("crashed")) and found["metadata"]["uid"] != crashed.uid, "a new pod")
        assert again
        assert time.monotonic() - seen > 5, "the pause of ten seconds, from when the operator saw the end"
        assert place.pod("banned") is None, "whose pause is a minute"


def test_an_operator_whose_clock_is_another_restarts_no_session(world: World, place: Place, tmp_path: Path) -> None:
    place.store()
    place.session("support")
    uids = set()
    for number, ahead in enumerate((0.0, 3 * DAY, -3 * DAY)):
        with contextlib.closing(Operator(world, tmp_path, ahead)):
            worker = place.wait_worker("support")
            if number == 0:
                worker.runs().says("Connected", **connected())
            place.wait_phase("support", "Connected", "ArchiveVerified")
            # A namespace's sessions have their turns in order: the older one was looked at before the probe.
            place.session(f"probe-{number}")
            place.wait_worker(f"probe-{number}")
            uids.add(place.wait_worker("support").uid)
    assert len(uids) == 1


def test_a_certificate_that_is_not_valid_yet_is_told_with_the_difference(world: World, tmp_path: Path) -> None:
    operator = Operator(world, tmp_path, -30 * DAY)
    assert operator.running.wait(60) == 1
    said = operator.said.splitlines()[-1]
    assert "certificate" in said
    assert "the clock of this machine is 30 days behind the API server's; set it" in said
    assert "Traceback" not in operator.said


@wrong
def test_a_wrong_clock_neither_takes_the_lead_nor_keeps_it(world: World, tmp_path: Path, ahead: float) -> None:
    with contextlib.ExitStack() as stack:
        operators = Operators(world, tmp_path, stack)
        operators.start()
        wait(lambda: operators.leads(1), lambda: f"the first to lead: {operators.log(1)}")
        first = operators.holder()
        wrong = operators.start(ahead=ahead)
        wait(lambda: "standing by" in operators.log(2), lambda: f"the second to stand by: {operators.log(2)}")
        renewed = operators.renewals()
        wait(lambda: operators.renewals() >= renewed + 3, "the leader to renew its Lease three times", 60)
        assert operators.holder() == first
        operators.running[0].kill()
        wait(lambda: operators.leads(2), lambda: f"the second to lead: {operators.log(2)}", TAKE_OVER_SECONDS)
        operators.start()
        wait(lambda: "standing by" in operators.log(3), lambda: f"the third to stand by: {operators.log(3)}")
        wrong.kill()
        wait(lambda: operators.leads(3), lambda: f"the third to lead: {operators.log(3)}", TAKE_OVER_SECONDS)
