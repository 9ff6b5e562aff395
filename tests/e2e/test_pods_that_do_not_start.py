"""Pods beside the worker that quota, policy or registry keep from starting: a condition says so, and what to change."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from deploy.demo.console import wait_for
from e2e.cluster_rules import CLOSED, policies
from e2e.namespaces_with_rules import OF_POLICIES, Rules, items, make_namespace, wait_in_force
from e2e.world import Session, World
from whatsapp_session import names

Manifest = dict[str, Any]
SUSPENDED: Manifest = {
    "operatingMode": "Suspended",
    "auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}},
}
BUCKET: Manifest = {"s3": {"bucket": "none", "region": "us-east-1", "endpoint": "http://127.0.0.1:1"}}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps pods of a namespace from starting, and what the conditions say of it."""

    place: str
    reason: str
    change: str
    store: Manifest = field(default_factory=lambda: BUCKET)
    labels: Mapping[str, str] = field(default_factory=dict)
    quota: Mapping[str, str] | None = None


OBSTACLES = [
    Obstacle("no-room", "QuotaExceeded", "storePods.resources", quota={"pods": "0"}),
    Obstacle("no-entry", "InvalidPodTemplate", "podSecurityContext", labels={CLOSED: "enforced"}),
    Obstacle(
        "no-image",
        "ImagePullFailed",
        "spec.custom.image of the SessionStore",
        store={"custom": {"name": "mine", "image": "docker.io/library/nobody-has-this:1"}},
    ),
]


@pytest.fixture
def closed(world: World) -> Iterator[None]:
    """The policies of strict clusters."""
    rules = items(policies())
    world.kubectl.apply(rules)
    try:
        wait_in_force(world.kubectl, {choice: OF_POLICIES[choice] for choice in [(CLOSED, "enforced")]})
        yield
    finally:
        world.kubectl.run("delete", "-f", "-", stdin=rules)


def make(world: World, given: Obstacle) -> None:
    """Make the namespace, and what keeps pods from starting in it."""
    make_namespace(world.kubectl, Rules(given.place, given.labels))
    if given.quota is not None:
        head = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full", "namespace": given.place}}
        world.kubectl.apply(json.dumps({**head, "spec": {"hard": dict(given.quota)}}))


def said_of_store(session: Session, reason: str) -> str | None:
    """Return what the store's Ready says once it has a reason."""
    store = session.kubectl.get("wastore", "default", session.namespace) or {}
    conditions = (store.get("status") or {}).get("conditions") or ()
    found: Mapping[str, Any] = next((item for item in conditions if item["type"] == "Ready"), {})
    return str(found["message"]) if found.get("reason") == reason else None


def said_of_session(session: Session, reason: str) -> str | None:
    """Return what the session's Ready says once it has a reason."""
    found = session.whole_condition("Ready")
    return str(found["message"]) if found.get("reason") == reason else None


def held(session: Session) -> bool | None:
    """Return whether the session has the finalizer for which its archives will be purged."""
    return names.FINALIZER_PURGE in session.resource()["metadata"].get("finalizers", ()) or None


@pytest.mark.usefixtures("closed")
def test_a_check_and_a_purge_that_cannot_start_say_why_and_what_to_change(world: World) -> None:
    with ExitStack() as stack:
        sessions = []
        for given in OBSTACLES:
            make(world, given)
            place = world.session(given.place, spec=SUSPENDED, store=given.store)
            sessions.append((given, stack.enter_context(place)))
        for given, session in sessions:
            what = f"the store of {given.place} to say {given.reason}"
            assert given.change in wait_for(what, partial(said_of_store, session, given.reason), timeout=120)
            wait_for("the finalizer", partial(held, session), timeout=60)
            delete = ("delete", "was", session.name, "-n", session.namespace, "--wait=false")
            session.kubectl.run(*delete)
        for given, session in sessions:
            what = f"the session of {given.place} to say {given.reason}"
            message = wait_for(what, partial(said_of_session, session, given.reason), timeout=120)
            assert given.change in message
            assert names.request_annotation("skip-purge") in message
        for _, session in sessions:
            session.request("skip-purge")
            session.kubectl.run("wait", f"was/{session.name}", "-n", session.namespace, "--for=delete", "--timeout=60s")
