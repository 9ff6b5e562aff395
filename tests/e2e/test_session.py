"""One session's life on a real node, in real pods, under the restricted pod security standard."""

import json

from deploy.demo import installation
from deploy.demo.console import wait_for
from e2e.world import Session, World


def _restart_count(session: Session) -> int:
    pod = session.pod() or {}
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    return int(statuses[0].get("restartCount", 0))


def test_the_quick_start_survives_the_deletion_of_its_pod(world: World) -> None:
    with world.session("bots") as session:
        device = session.link()
        before = session.status()
        world.kubectl.run("delete", "pod", "wa-support", "-n", "bots", timeout=180)
        after = session.returned(before)
        assert after["account"] == before["account"]
        assert after["restored"]["generation"] >= before["saved"]["generation"]
        session.wait("Saved")
        session.assert_same_login(device)


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


def test_a_container_killed_with_sigkill_comes_back_without_a_code(world: World) -> None:
    with world.session("killed") as session:
        device = session.link()
        before = session.status()
        session.kill()
        wait_for("the container to be restarted", lambda: _restart_count(session) or None, timeout=120)
        session.returned(before)
        session.assert_same_login(device)


def test_a_deleted_session_leaves_no_pod_and_can_be_applied_again_without_a_code(world: World) -> None:
    with world.session("deleted") as session:
        device = session.link()
        before = session.status()
        manifest = json.dumps(
            {key: session.resource()[key] for key in ("apiVersion", "kind", "spec")}
            | {"metadata": {"name": session.name, "namespace": session.namespace}}
        )
        world.kubectl.run("delete", "was", session.name, "-n", session.namespace, "--timeout=150s", timeout=160)
        wait_for("the pod to be gone", lambda: True if session.pod() is None else None, timeout=150)
        lease = f"wa-{session.name}"
        wait_for(
            "the Lease to be collected",
            lambda: True if world.kubectl.get("lease", lease, session.namespace) is None else None,
            timeout=60,
        )
        world.kubectl.apply(manifest)
        session.returned(before)
        session.assert_same_login(device)
