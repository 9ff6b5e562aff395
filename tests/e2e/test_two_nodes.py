"""Two real nodes and two operators: leaders that die or stand still, and an API server that is away for longer than P.

The sessions are linked once and stay connected from test to test.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.demo.console import wait_for
from deploy.local.native import api_client
from e2e import node_processes
from e2e.two_nodes import TwoNodes
from e2e.world import Session
from simulator import client

TAKE_OVER = 45.0
"""Seconds, three times of what is promised."""
P = 60.0
"""Seconds for which the last answer of a witness counts."""
OUTAGE = 180.0 if os.environ.get("WSO_SOAK") else 1.25 * P
"""Seconds without an API server; more than P, so that only the store vouches."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sessions on the second node, linked and saved."""

    sessions: tuple[Session, Session]
    devices: tuple[client.Device, client.Device]


@pytest.fixture(scope="module")
def pair(nodes: TwoNodes) -> Iterator[Pair]:
    """Link two sessions on the second node."""
    with nodes.closed(nodes.first), nodes.session("cut-off") as one, nodes.session("in-reach") as other:
        devices = one.link(), other.link()
        yield Pair((one, other), devices)


def restarts(session: Session) -> int:
    """Return how often the worker's container was started again."""
    (status,) = (session.pod() or {})["status"]["containerStatuses"]
    return int(status["restartCount"])


def test_a_leader_that_is_killed_and_one_that_stands_still_are_followed(nodes: TwoNodes, pair: Pair) -> None:
    pods = [session.pod_uid() for session in pair.sessions]
    killed = nodes.leader()
    began = time.monotonic()
    os.kill(nodes.operator(killed), signal.SIGKILL)
    paused = nodes.follower(killed, TAKE_OVER)
    print(f"\nanother operator led {time.monotonic() - began:.1f} s after the leader was killed")
    process = nodes.operator(paused)
    began = time.monotonic()
    os.kill(process, signal.SIGSTOP)
    try:
        leader = nodes.follower(paused, 2 * TAKE_OVER)  # the killed one's container may have to wait for its restart
        print(f"another operator led {time.monotonic() - began:.1f} s after the leader was paused")
        with nodes.session("led-anew") as made:
            wait_for("the pod of a new session", made.pod_uid, TAKE_OVER)
    finally:
        if not node_processes.gone(process):  # its liveness probe may have ended it
            os.kill(process, signal.SIGCONT)
    # Each look is a GET of its own: the one that was paused has renewed its Lease by then if it believes to lead.
    assert nodes.follower(paused, TAKE_OVER) == leader
    assert [session.pod_uid() for session in pair.sessions] == pods, "no worker noticed"


def test_an_api_server_that_is_away_stops_nobody_who_reaches_the_store(nodes: TwoNodes, pair: Pair) -> None:
    cut_off, in_reach = pair.sessions
    uids = [str(session.pod_uid()) for session in pair.sessions]
    address = (cut_off.pod() or {})["status"]["podIP"]
    before, counts = in_reach.status(), [restarts(session) for session in pair.sessions]
    with nodes.browsers() as browsers:
        wait_for("both browsers to be seen", lambda: all(map(browsers.runs, uids)) or None, 10)
        began = time.time()
        with nodes.faults.no_api_server():
            with nodes.faults.cut(address, nodes.servers.s3_address):
                wait_for("the browser without a witness to stand still", lambda: not browsers.runs(uids[0]) or None, 90)
                frozen = time.time() - began
            wait_for("it to go on once the store answers", lambda: browsers.runs(uids[0]) or None, 60)
            thawed = time.time() - began
            wait_for(f"{OUTAGE:.0f} s to pass", lambda: time.time() - began > OUTAGE or None, OUTAGE + 10)
        layout = nodes.faults.plan.layout
        admin = api_client.administrator(layout.server, layout.authority)
        wait_for("the API server to be back", lambda: admin.ready() or None, 60)
        back = time.monotonic()
        lead = leads(nodes)
        wait_for("an operator to renew its Lease", lambda: leads(nodes) != lead or None, TAKE_OVER)
        led = time.monotonic() - back
    print(f"\nwithout API server and store: frozen after {frozen:.1f} s, running again after {thawed:.1f} s")
    print(f"without API server: {OUTAGE:.0f} s; an operator led {led:.1f} s after its return")
    assert frozen < P + 15
    assert browsers.first(uids[1]) < began
    assert [uid for uid in uids[1:] for _, running in browsers.seen[1:] if uid not in running] == [], "one froze"
    assert [restarts(session) for session in pair.sessions] == counts
    assert [str(session.pod_uid()) for session in pair.sessions] == uids
    for session, device in zip(pair.sessions, pair.devices, strict=True):
        session.wait("Connected")
        session.assert_same_login(device)
    assert in_reach.status()["stateSince"] == before["stateSince"], "it was Connected all the while"


def leads(nodes: TwoNodes) -> str:
    """Return the version of the Lease by which an operator leads."""
    found = nodes.kubectl.get("lease", "whatsapp-session-operator", "whatsapp-operator") or {}
    return str(found["metadata"]["resourceVersion"])
