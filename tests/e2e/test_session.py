"""One session's life on a real node, in real pods, under the restricted pod security standard.

Most tests share a session that is linked once; each leaves it connected.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.demo import installation
from deploy.demo.console import wait_for
from e2e.world import Session, World
from simulator import client
from whatsapp_session import names


@dataclass(frozen=True, slots=True)
class Linked:
    """A session that is linked and saved."""

    session: Session
    device: client.Device


@pytest.fixture(scope="module")
def linked(world: World) -> Iterator[Linked]:
    """Link the quick start's session once for the tests of this file."""
    with world.session("bots") as session:
        yield Linked(session, session.link())


def _restart_count(session: Session) -> int:
    pod = session.pod() or {}
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    return int(statuses[0].get("restartCount", 0))


def test_the_quick_start_survives_the_deletion_of_its_pod(linked: Linked) -> None:
    session = linked.session
    before = session.status()
    session.kubectl.run("delete", "pod", names.pod(session.name), "-n", session.namespace, timeout=180)
    after = session.returned(before)
    assert after["account"] == before["account"]
    assert after["restored"]["generation"] >= before["saved"]["generation"]
    session.wait("Saved")
    session.assert_same_login(linked.device)


def test_a_container_killed_with_sigkill_comes_back_without_a_code(linked: Linked) -> None:
    session = linked.session
    before, restarts = session.status(), _restart_count(session)
    session.kill()
    wait_for("the container to be restarted", lambda: _restart_count(session) > restarts or None, timeout=120)
    session.returned(before)
    session.assert_same_login(linked.device)


def test_a_deleted_session_leaves_no_pod_and_can_be_applied_again_without_a_code(linked: Linked) -> None:
    session = linked.session
    before, manifest = session.status(), session.manifest()
    session.kubectl.run("delete", "was", session.name, "-n", session.namespace, "--timeout=150s", timeout=160)
    wait_for("the pod to be gone", lambda: True if session.pod() is None else None, timeout=150)
    wait_for(
        "the Lease to be collected",
        lambda: True if session.kubectl.get("lease", names.pod(session.name), session.namespace) is None else None,
        timeout=60,
    )
    session.kubectl.apply(manifest)
    session.returned(before)
    session.assert_same_login(linked.device)


def test_a_session_applied_again_at_once_comes_back_with_an_account_of_its_own(linked: Linked) -> None:
    session, account_name = linked.session, names.session_account(linked.session.name)
    again, before = session.manifest(), session.resource()["metadata"]["uid"]
    old = session.kubectl.get("serviceaccount", account_name, session.namespace) or {}
    session.kubectl.run("delete", "was", session.name, "-n", session.namespace, "--wait=false")
    session.kubectl.apply(again)
    # The last save of the first is what the second restores.
    session.wait("Connected", timeout=240)
    session.assert_same_login(linked.device)
    assert session.status()["restored"]["generation"] >= 1
    account = session.kubectl.get("serviceaccount", account_name, session.namespace) or {}
    (owner,) = account["metadata"]["ownerReferences"]
    assert owner["uid"] == session.resource()["metadata"]["uid"] != before
    assert account["metadata"]["uid"] != old["metadata"]["uid"]


def test_a_suspended_session_saves_stops_and_resumes_without_a_code(linked: Linked) -> None:
    session = linked.session
    before = session.status()

    def mode(value: str) -> None:
        patch = json.dumps({"spec": {"operatingMode": value}})
        session.kubectl.run("patch", "was", session.name, "-n", session.namespace, "--type=merge", "-p", patch)

    mode("Suspended")
    wait_for(
        "the phase Suspended",
        lambda: (session.resource().get("status") or {}).get("phase") == "Suspended" or None,
        timeout=180,
    )
    assert session.pod() is None
    # The operator clears it after it has written the phase.
    wait_for("the report of the worker that is gone to be cleared", lambda: not session.status() or None, 60)
    assert session.condition("Saved") == "True"
    mode("Running")
    session.returned(before, timeout=240)
    session.assert_same_login(linked.device)


@pytest.mark.parametrize("grace", [None, 25] if os.environ.get("WSO_SOAK") else [None])
def test_an_evicted_worker_saves_first_and_comes_back_without_a_code(linked: Linked, grace: int | None) -> None:
    """Also within the 25 s that a preemption or a spot node may leave; on a busy machine that says nothing."""
    session = linked.session
    session.wait("Saved")
    session.receive("not saved yet")
    before, first = session.status(), session.pod_uid()
    metadata = {"name": names.pod(session.name), "namespace": session.namespace}
    eviction: dict[str, object] = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    if grace is not None:
        eviction["deleteOptions"] = {"gracePeriodSeconds": grace}
    target = f"/api/v1/namespaces/{session.namespace}/pods/{names.pod(session.name)}/eviction"
    session.kubectl.run("create", "--raw", target, "-f", "-", stdin=json.dumps(eviction))
    wait_for("another pod", lambda: session.pod_uid() not in (None, first) or None, timeout=180)
    after = session.returned(before, timeout=240)
    assert after["restored"]["generation"] > before["saved"]["generation"], "only the last save held the message"
    session.assert_same_login(linked.device)


def test_a_restarted_operator_disturbs_no_session(world: World) -> None:
    with world.session("restart") as session:
        code = wait_for("the first code", lambda: session.status().get("qr"), timeout=120)["code"]
        world.kubectl.run(
            *("rollout", "restart", f"deployment/{installation.RELEASE}", "-n", installation.NAMESPACE), timeout=60
        )
        pod = (session.pod() or {})["metadata"]["uid"]
        device = world.admin.scan(session.phone, code)
        assert device is not None
        world.kubectl.run(
            *("rollout", "status", f"deployment/{installation.RELEASE}", "-n", installation.NAMESPACE),
            *("--timeout=120s",),
            timeout=130,
        )
        session.wait("Saved")
        assert (session.pod() or {})["metadata"]["uid"] == pod
        assert _restart_count(session) == 0
        session.assert_same_login(world.admin.device(device))
