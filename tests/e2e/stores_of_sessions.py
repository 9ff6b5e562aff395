"""Stores of sessions on a real node: made, waited for, and left for another."""

import json
from typing import Any

from e2e.world import Session
from simulator import client
from whatsapp_session import names

RECORDS = "RemoteAuth-support"
"""Where the sessions of these tests are in their store: all have the quick start's name."""


def another_store(session: Session, name: str, spec: dict[str, Any]) -> None:
    """Apply one more SessionStore in the session's namespace."""
    store = {
        "apiVersion": names.API_VERSION,
        "kind": names.STORE_KIND,
        "metadata": {"name": name, "namespace": session.namespace},
        "spec": spec,
    }
    session.kubectl.apply(json.dumps(store))


def store_is_ready(session: Session, name: str = "default") -> None:
    """Wait until the store's check has passed."""
    command = ("wait", f"wastore/{name}", "-n", session.namespace, "--for=condition=Ready", "--timeout=120s")
    session.kubectl.run(*command, timeout=130)


def move(session: Session, store: str, device: client.Device) -> None:
    """Let the session name another store; it comes back there by itself, without a code."""
    before = session.status()
    patch = json.dumps({"spec": {"auth": {"remoteAuth": {"storeRef": {"name": store}}}}})
    session.kubectl.run("patch", "was", session.name, "-n", session.namespace, "--type=merge", "-p", patch)
    now = session.returned(before, timeout=240)
    session.assert_same_login(device)
    assert now["restored"]["generation"] >= before["saved"]["generation"], "with what the last stop saved"
    assert (session.pod() or {})["metadata"]["labels"][names.LABEL_STORE] == store
    pods = json.loads(session.kubectl.run("get", "pods", "-n", session.namespace, "-o", "json"))["items"]
    assert names.move_pod(session.name) not in [pod["metadata"]["name"] for pod in pods]
