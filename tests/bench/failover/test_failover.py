"""How long a session is away: pod deleted, container killed, node drained, node lost, and twenty at once.

The floor of each run is a bare worker pod that restores and connects, image present. Times end at Connected in the
session's status; the floor's end with the worker's event ``ready``.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from bench.failover.bare_worker import BareWorker
from deploy.demo.console import wait_for
from deploy.local.native import api_client
from e2e.two_nodes import TwoNodes
from e2e.world import Session

ROUNDS = int(os.environ.get("WSO_ROUNDS", "5"))
MANY = 20
LEASE, P = 60.0, 60.0
"""Seconds, as they are by default."""
Measure = Callable[[], float]


@pytest.fixture(scope="module")
def bare(nodes: TwoNodes) -> BareWorker:
    """Give the floor, linked."""
    made = BareWorker(nodes)
    made.link()
    return made


@pytest.fixture(scope="module")
def session(nodes: TwoNodes) -> Iterator[Session]:
    """Link one session."""
    with nodes.session("failover", {}) as made:
        made.link()
        yield made


def node_of(session: Session) -> str:
    """Return the node of the worker pod."""
    return str((session.pod() or {})["spec"]["nodeName"])


class Looks:
    """Look at sessions' statuses by requests of this process: kubectl takes a tenth of a second of CPU each time."""

    def __init__(self, nodes: TwoNodes) -> None:
        layout = nodes.faults.plan.layout
        self._api = api_client.administrator(layout.server, layout.authority)

    def since(self, session: Session) -> str | None:
        """Return since when a session is Connected, None if it is not."""
        path = f"/apis/whatsapp-operator.dev/v1alpha1/namespaces/{session.namespace}/whatsappsessions/{session.name}"
        now = ((self._api.get(path) or {}).get("status") or {}).get("session") or {}
        return str(now["stateSince"]) if now.get("state") == "Connected" else None

    def back(self, session: Session, before: str, seconds: float) -> float:
        """Wait until a session is Connected again; returns the moment."""

        def connected() -> bool | None:
            return self.since(session) not in (None, before) or None

        wait_for(f"{session.namespace} to be Connected again", connected, seconds, 0.02)
        return time.monotonic()


def away(nodes: TwoNodes, session: Session, fault: Callable[[], object], seconds: float = 300) -> float:
    """Return how long a session is away from Connected after a fault."""
    looks = Looks(nodes)
    before = looks.since(session)
    assert before is not None
    began = time.monotonic()
    fault()
    return looks.back(session, before, seconds) - began


def settled(session: Session) -> None:
    """Wait until a session is saved: a last save then has nothing to do, and the next round restores it."""
    session.wait("Saved")
    session.wait("Connected")


def table(taken: dict[str, Sequence[float]], floor: str) -> None:
    """Print the medians, and their ratio to the floor."""
    base = statistics.median(taken[floor])
    print(f"\nseconds to Connected, median of {ROUNDS}:")
    for name, values in taken.items():
        median, all_of_them = statistics.median(values), ", ".join(f"{value:.1f}" for value in values)
        print(f"  {name:18} {median:6.1f} s  {median / base:5.2f} x  ({all_of_them})")


def test_a_pod_that_is_deleted_killed_or_drained(nodes: TwoNodes, session: Session, bare: BareWorker) -> None:
    pod = ("pod", "wa-support", "-n", session.namespace)

    def deleted() -> float:
        return away(nodes, session, lambda: nodes.kubectl.run("delete", *pod, "--wait=false"))

    def drained() -> float:
        node = node_of(session)
        with nodes.closed(node):
            target = f"/api/v1/namespaces/{session.namespace}/pods/wa-support/eviction"
            metadata = {"name": "wa-support", "namespace": session.namespace}
            eviction = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata})
            return away(nodes, session, lambda: nodes.kubectl.run("create", "--raw", target, "-f", "-", stdin=eviction))

    # A container is killed right after its pod was created: the kubelet's pause before a second restart is not ours.
    rounds: dict[str, Measure] = {
        "bare pod (floor)": bare.seconds,
        "pod deleted": deleted,
        "container killed": lambda: away(nodes, session, session.kill),
        "node drained": drained,
    }
    taken: dict[str, Sequence[float]] = {name: [] for name in rounds}
    for _ in range(ROUNDS):
        for name, measure in rounds.items():
            settled(session)
            taken[name] = [*taken[name], measure()]
    table(taken, "bare pod (floor)")


def lose_node(nodes: TwoNodes, sessions: Sequence[Session]) -> list[float]:
    """Lose the node of some sessions, and give it back; returns how long each was away."""
    (node,) = {node_of(session) for session in sessions}
    looks = Looks(nodes)
    before = [looks.since(session) or "" for session in sessions]
    assert all(before)
    with ExitStack() as lost:
        began = time.monotonic()
        lost.enter_context(nodes.faults.kubelet_stopped(node))
        lost.enter_context(nodes.faults.node_cut(node))
        for session in sessions:
            lost.enter_context(nodes.faults.cut((session.pod() or {})["status"]["podIP"], nodes.servers.s3_address))
        taken = [
            looks.back(session, since, 20 * (LEASE + P)) - began
            for session, since in zip(sessions, before, strict=True)
        ]
    nodes.kubectl.run("wait", f"node/{node}", "--for=condition=Ready", "--timeout=120s", timeout=130)
    return taken


def test_a_node_that_is_lost(nodes: TwoNodes, session: Session, bare: BareWorker) -> None:
    taken: dict[str, Sequence[float]] = {"bare pod (floor)": [], "node lost": []}
    for _ in range(ROUNDS):
        taken["bare pod (floor)"] = [*taken["bare pod (floor)"], bare.seconds()]
        settled(session)
        taken["node lost"] = [*taken["node lost"], *lose_node(nodes, [session])]
    table(taken, "bare pod (floor)")
    print(f"  goal of a lost node: {LEASE + P + 45:.0f} s")


def test_many_sessions_of_a_lost_node_at_once(nodes: TwoNodes, session: Session) -> None:
    (one,) = lose_node(nodes, [session])
    with ExitStack() as stack:
        with nodes.closed(nodes.first):
            many = [stack.enter_context(nodes.session(f"many-{number}", {})) for number in range(MANY)]
            for made in many:
                made.link(timeout=300)
        taken = lose_node(nodes, many)
    print(f"\nnode lost: one session {one:.1f} s, the last of {MANY} {max(taken):.1f} s: {max(taken) / one:.2f} x")
