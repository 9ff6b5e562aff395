"""What the operator does to sessions on a real node: strategies, suspending, draining, upgrades of the template."""

import json
import os
import secrets
from pathlib import Path

import yaml

from deploy.demo import installation
from deploy.demo.console import wait_for
from deploy.local.build import images, oci_archive
from e2e.local_cluster import LocalCluster
from e2e.world import Session, World


def connect(session: Session) -> None:
    """Scan the first code and wait until the session is connected (a strategy that keeps nothing is never Saved)."""
    code = wait_for("a QR code", lambda: (session.status().get("qr") or {}).get("code"), timeout=180)
    assert session.admin.scan(session.phone, code) is not None
    session.wait("Connected")


def uid(session: Session) -> str | None:
    """Return the UID of the worker pod, None if there is none."""
    pod = session.pod()
    return None if pod is None else str(pod["metadata"]["uid"])


def test_localauth_comes_back_from_its_claim_without_a_code(world: World) -> None:
    spec = {"auth": {"strategy": "LocalAuth", "localAuth": {"size": "1Gi"}}}
    with world.session("local", spec=spec) as session:
        device = session.link()
        before = session.status()
        world.kubectl.run("delete", "pod", "wa-support", "-n", "local", timeout=180)
        session.returned(before, timeout=240)
        session.assert_same_login(device)


def test_noauth_asks_for_a_new_link_after_its_pod_is_gone(world: World) -> None:
    with world.session("nothing", spec={"auth": {"strategy": "NoAuth"}}) as session:
        connect(session)
        first = uid(session)
        world.kubectl.run("delete", "pod", "wa-support", "-n", "nothing", timeout=180)
        wait_for("another pod", lambda: uid(session) not in (None, first) or None, timeout=180)
        wait_for("a new code", lambda: session.status().get("qr"), timeout=180)
        session.wait_for_condition("Linked", "False")


def test_a_suspended_session_saves_stops_and_resumes_without_a_code(world: World) -> None:
    with world.session("suspended") as session:
        device = session.link()
        before = session.status()

        def mode(value: str) -> None:
            patch = json.dumps({"spec": {"operatingMode": value}})
            world.kubectl.run("patch", "was", "support", "-n", "suspended", "--type=merge", "-p", patch)

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
        session.assert_same_login(device)


def test_an_evicted_worker_saves_first_and_comes_back_without_a_code(world: World) -> None:
    with world.session("drained") as session:
        device = session.link()
        world.admin.write(session.phone, "4917012345678", "not saved yet")
        wait_until_delivered(world, device.id)
        before, first = session.status(), uid(session)
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": "wa-support", "namespace": "drained"},
        }
        target = "/api/v1/namespaces/drained/pods/wa-support/eviction"
        world.kubectl.run("create", "--raw", target, "-f", "-", stdin=json.dumps(eviction))
        wait_for("another pod", lambda: uid(session) not in (None, first) or None, timeout=180)
        after = session.returned(before, timeout=240)
        assert after["restored"]["generation"] > before["saved"]["generation"], "only the last save held the message"
        session.assert_same_login(device)


def test_a_session_that_links_by_code_shows_it_and_connects(world: World) -> None:
    linking = {"method": "PairingCode", "phoneNumberSecretRef": {"name": "phone", "key": "number"}}
    with world.session("paired", spec={"linking": linking}) as session:
        message = session.wait_stalled("SecretNotFound")
        assert "the session needs the Secret 'phone' with the key 'number'" in message
        number = "49" + "".join(secrets.choice("0123456789") for _ in range(9))
        head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "phone", "namespace": "paired"}}
        world.kubectl.apply(yaml.safe_dump({**head, "stringData": {"number": number}}))
        code = wait_for("a pairing code", lambda: session.status().get("pairingCode"), timeout=360)
        assert number not in json.dumps(session.resource()), "the phone number stays in its Secret"
        device = world.admin.enter_code(number, code)
        assert device is not None
        session.wait("Saved")
        assert "pairingCode" not in session.status()
        before = session.status()
        world.kubectl.run("delete", "pod", "wa-support", "-n", "paired", timeout=180)
        session.returned(before, timeout=240)
        now = session.only_device(number)
        assert (now.id, now.rollbacks, now.two_browsers) == (device, 0, 0)


def beside(first: Session, name: str) -> Session:
    """Make another session in the namespace and store of the first."""
    session = Session(first.kubectl, first.admin, first.namespace, name, f"{first.namespace}-{secrets.token_hex(4)}")
    documents = yaml.safe_load_all(installation.QUICKSTART.read_text())
    document = next(one for one in documents if one["kind"] == "WhatsAppSession")
    session.kubectl.apply(yaml.safe_dump(session.placed(document, None)))
    return session


SESSIONS = 30 if os.environ.get("WSO_SOAK") else 6


def test_many_sessions_restarted_at_once_all_come_back_without_a_code(world: World) -> None:
    with world.session("many", "s0") as first:
        sessions, devices = [first], [first.link()]
        for number in range(1, SESSIONS):
            # One after the other: it is the restart that comes at once.
            sessions.append(beside(first, f"s{number}"))
            devices.append(sessions[-1].link(timeout=300))
        before = [session.status() for session in sessions]
        world.kubectl.run("delete", "pods", "--all", "-n", "many", "--wait=false")
        for session, status, device in zip(sessions, before, devices, strict=True):
            session.returned(status, timeout=120 + 20 * SESSIONS)
            session.assert_same_login(device)


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
    with world.session("upgrade", "s0") as first:
        sessions = [first, beside(first, "s1")]
        devices = [session.link() for session in sessions]
        pods, before = [uid(session) for session in sessions], [session.status() for session in sessions]

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
        assert uid(sessions[other]) == pods[other], "the upgrade went on though the first session did not come back"
        for session, device in zip(sessions, devices, strict=True):
            session.assert_same_login(device)


def image(session: Session) -> str | None:
    """Return the image of the worker pod."""
    pod = session.pod()
    return None if pod is None else str(pod["spec"]["containers"][0]["image"])


def wait_until_delivered(world: World, device: str) -> None:
    """Wait until the phone's messages have arrived at a device."""
    wait_for("the message to arrive", lambda: world.admin.device(device).undelivered == 0 or None, timeout=60)


SECOND = "docker.io/library/whatsapp-session-worker:second"


def test_an_upgrade_to_a_good_image_replaces_each_worker_after_a_last_save(
    cluster: LocalCluster, world: World, tmp_path: Path
) -> None:
    archive = next(one for one in images.build(cluster.store) if "worker" in one.name)
    oci_archive.renamed(archive, tmp_path / "second.tar", SECOND)
    cluster.import_archives([tmp_path / "second.tar"])
    with world.session("upgraded", "s0") as first:
        sessions = [first, beside(first, "s1")]
        devices = [session.link() for session in sessions]
        for session, device in zip(sessions, devices, strict=True):
            # Not saved yet when the upgrade begins: only a last save can hold it.
            world.admin.write(session.phone, "4917012345678", "the last word")
            wait_until_delivered(world, device.id)
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
