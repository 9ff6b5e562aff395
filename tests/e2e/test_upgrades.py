"""Another image for the workers: one after the other, after a last save, and stopped at the first that fails."""

import json
from pathlib import Path

from deploy.demo import installation
from deploy.demo.console import wait_for
from deploy.local.build import images, oci_archive
from e2e.local_cluster import LocalCluster
from e2e.world import Session, World


def set_worker_image(world: World, image: str) -> str:
    """Give the operator another image for its workers; returns the one before."""
    place = ("deployment", installation.RELEASE, installation.NAMESPACE)
    arguments = (world.kubectl.get(*place) or {})["spec"]["template"]["spec"]["containers"][0]["args"]
    index = next(number for number, one in enumerate(arguments) if one.startswith("--worker-image="))
    value = {
        "op": "replace",
        "path": f"/spec/template/spec/containers/0/args/{index}",
        "value": f"--worker-image={image}",
    }
    deployment = (f"deployment/{installation.RELEASE}", "-n", installation.NAMESPACE)
    world.kubectl.run("patch", *deployment, "--type=json", "-p", json.dumps([value]))
    world.kubectl.run("rollout", "status", *deployment, "--timeout=120s", timeout=130)
    return str(arguments[index].removeprefix("--worker-image="))


def test_an_upgrade_to_an_image_that_is_not_there_stops_at_the_first_session_and_can_be_taken_back(
    world: World,
) -> None:
    world.wait_for_ends()  # what is about to go takes no part in an upgrade
    with world.session("upgrade", "s0") as first:
        sessions = [first, first.beside("s1")]
        devices = [session.link() for session in sessions]
        pods, before = [session.pod_uid() for session in sessions], [session.status() for session in sessions]

        def replaced() -> list[int]:
            """Return which sessions were given a pod that cannot start."""
            found = []
            for number, session in enumerate(sessions):
                conditions = (session.resource().get("status") or {}).get("conditions") or ()
                if any(item["reason"] == "ImagePullFailed" for item in conditions):
                    found.append(number)
            return found

        good = set_worker_image(world, "docker.io/library/whatsapp-session-worker:missing")
        try:
            (broken,) = wait_for("one session to be replaced", lambda: replaced() or None, timeout=180)
        finally:
            set_worker_image(world, good)
        sessions[broken].returned(before[broken], timeout=240)
        other = 1 - broken
        assert sessions[other].pod_uid() == pods[other], "the upgrade went on, though the first is not back"
        for session, device in zip(sessions, devices, strict=True):
            session.assert_same_login(device)


def image(session: Session) -> str | None:
    """Return the image of the worker pod."""
    pod = session.pod()
    return None if pod is None else str(pod["spec"]["containers"][0]["image"])


SECOND = "docker.io/library/whatsapp-session-worker:second"


def test_an_upgrade_to_a_good_image_replaces_each_worker_after_a_last_save(
    cluster: LocalCluster, world: World, tmp_path: Path
) -> None:
    archive = next(one for one in images.build(cluster.store) if "worker" in one.name)
    oci_archive.renamed(archive, tmp_path / "second.tar", SECOND)
    cluster.import_archives([tmp_path / "second.tar"])
    with world.session("upgraded", "s0") as first:
        sessions = [first, first.beside("s1")]
        devices = [session.link() for session in sessions]
        for session in sessions:
            # Not saved yet when the upgrade begins: only a last save can hold it.
            session.receive("the last word")
        before = [session.status() for session in sessions]
        good = set_worker_image(world, SECOND)
        try:
            for session, status, device in zip(sessions, before, devices, strict=True):
                after = session.returned(status, timeout=300)
                assert image(session) == SECOND
                assert after["restored"]["generation"] > status["saved"]["generation"]
                session.assert_same_login(device)
        finally:
            set_worker_image(world, good)
