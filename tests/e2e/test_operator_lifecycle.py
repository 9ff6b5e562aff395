"""What the operator does to sessions on a real node: strategies, ways to link, many at once."""

import json
import os
import secrets

import yaml

from deploy.demo.console import wait_for
from e2e.world import Session, World


def connect(session: Session) -> None:
    """Scan the first code and wait until the session is connected (a strategy that keeps nothing is never Saved)."""
    code = wait_for("a QR code", lambda: (session.status().get("qr") or {}).get("code"), timeout=180)
    assert session.admin.scan(session.phone, code) is not None
    session.wait("Connected")


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
        first = session.pod_uid()
        world.kubectl.run("delete", "pod", "wa-support", "-n", "nothing", timeout=180)
        wait_for("another pod", lambda: session.pod_uid() not in (None, first) or None, timeout=180)
        wait_for("a new code", lambda: session.status().get("qr"), timeout=180)
        session.wait_for_condition("Linked", "False")


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


SESSIONS = 30 if os.environ.get("WSO_SOAK") else 4


def test_many_sessions_restarted_at_once_all_come_back_without_a_code(world: World) -> None:
    with world.session("many", "s0") as first:
        sessions, devices = [first], [first.link()]
        for number in range(1, SESSIONS):
            # One after the other: it is the restart that comes at once.
            sessions.append(first.beside(f"s{number}"))
            devices.append(sessions[-1].link(timeout=300))
        before = [session.status() for session in sessions]
        world.kubectl.run("delete", "pods", "--all", "-n", "many", "--wait=false")
        for session, status, device in zip(sessions, before, devices, strict=True):
            session.returned(status, timeout=120 + 20 * SESSIONS)
            session.assert_same_login(device)
