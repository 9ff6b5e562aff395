"""A node that is lost while its pods go on running, unseen: the split-brain case, on two real nodes.

Three sessions are on it. Its kubelet stands still and its network to the API server is cut. One worker cannot reach the
store either, one can, and of one the main process stands still.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pytest

from deploy.demo.console import wait_for
from e2e import node_processes
from e2e.node_processes import Browsers, Line
from e2e.two_nodes import TwoNodes
from e2e.world import Session
from simulator import client

CUT_OFF, IN_REACH, PAUSED = "all-cut", "store-in-reach", "worker-paused"
LEASE, P, MARKED, EVICTED = 30.0, 60.0, 50.0, 30.0
"""Seconds; after the last two the cluster marks a node as lost, and evicts its pods."""


@dataclass(frozen=True, slots=True)
class Old:
    """A session and what runs it on the node that is lost."""

    session: Session
    device: client.Device
    pod: str
    """The pod's UID."""
    address: str
    process: int
    """The worker's main process."""
    since: str
    """Since when it is Connected."""


@pytest.fixture
def lost(nodes: TwoNodes) -> Iterator[dict[str, Old]]:
    """Link the sessions on the second node."""
    with ExitStack() as stack:
        with nodes.closed(nodes.first):
            sessions = [stack.enter_context(nodes.session(name)) for name in (CUT_OFF, IN_REACH, PAUSED)]
            found = {session.namespace: linked(session) for session in sessions}
        yield found


def linked(session: Session) -> Old:
    """Link a session; returns what runs it."""
    device, pod = session.link(), session.pod() or {}
    return Old(
        session=session,
        device=device,
        pod=str(pod["metadata"]["uid"]),
        address=str(pod["status"]["podIP"]),
        process=session.worker(),
        since=str(session.status()["stateSince"]),
    )


def test_the_sessions_of_a_lost_node_move_and_no_two_browsers_run_at_once(
    nodes: TwoNodes, lost: dict[str, Old]
) -> None:
    number = nodes.world.admin.state()["last_event"]
    assert isinstance(number, int)
    with nodes.browsers() as browsers, nodes.faults.kubelet_stopped(nodes.second):
        wait_for("all browsers to be seen", lambda: all(browsers.runs(old.pod) for old in lost.values()) or None, 10)
        began = time.time()
        os.kill(lost[PAUSED].process, signal.SIGSTOP)
        with (
            nodes.faults.node_cut(nodes.second),
            nodes.faults.cut(lost[CUT_OFF].address, nodes.servers.s3_address),
        ):
            for old in lost.values():
                old.session.wait_for_condition("Saved", "Unknown", 3 * LEASE + MARKED)
            for old in lost.values():
                old.session.returned({"stateSince": old.since}, timeout=3 * (MARKED + EVICTED + P))
        os.kill(lost[PAUSED].process, signal.SIGCONT)
        # The kubelet still stands still: nobody tells them to end.
        for name, old in lost.items():
            wait_for(f"the old worker of {name} to leave", partial(has_left, old), 90)
        stories = {name: story(nodes, browsers, old, number) for name, old in lost.items()}
    for name, old in lost.items():
        told = "\n".join(f"  {line.at - began:7.2f} {line.who:10} {line.what}" for line in stories[name])
        print(f"\n{name}, seconds since the node was lost:\n{told}")
        judge(nodes, browsers, old, stories[name])


def has_left(old: Old) -> bool | None:
    """Return whether the old worker has ended, None while it runs."""
    return node_processes.gone(old.process) or None


def story(nodes: TwoNodes, browsers: Browsers, old: Old, number: int) -> list[Line]:
    """Return what happened to a session: the logs of both workers, of the simulator, and the browsers."""
    new = str(old.session.pod_uid())
    lines = node_processes.log_lines(nodes.logs, old.pod, "old worker")
    lines += node_processes.log_lines(nodes.logs, new, "new worker")
    lines = [line for line in lines if "state=" in line.what or "reason=" in line.what or "ended" in line.what]
    for event in nodes.world.admin.events(after=number):
        if event.device == old.device.id and event.kind in ("login", "two_browsers", "socket_closed", "rolled_back"):
            lines.append(Line(event.at, "simulator", event.kind))
    lines.append(Line(browsers.last(old.pod), "machine", "the old browser stands still for good"))
    lines.append(Line(browsers.first(new), "machine", "the new browser runs"))
    return sorted(lines, key=lambda line: line.at)


def judge(nodes: TwoNodes, browsers: Browsers, old: Old, lines: list[Line]) -> None:
    """Assert that the session moved, and that the old browser stood still in time and left nothing behind."""
    new = str(old.session.pod_uid())
    assert (old.session.pod() or {})["spec"]["nodeName"] == nodes.first
    assert not [moment for moment, running in browsers.seen if {old.pod, new} <= running], "two browsers at once"
    assert browsers.last(old.pod) < browsers.first(new)
    assert "two_browsers" not in {line.what for line in lines}
    records = nodes.servers.records(old.session.namespace, f"RemoteAuth-{old.session.name}")
    assert [line for line in lines if line.who == "old worker" and "state=Superseded" in line.what], "it was told"
    writers = [record["owner"]["podUID"] for record in records]
    assert set(writers[writers.index(new) :]) == {new}, "the old worker left without saving"
    old.session.assert_same_login(old.device)
