"""A node is lost, as the node controller tells it: which sessions move, and what the others say."""

import pytest

from functional.callers import Manifest, wait
from functional.worker import Worker, connected
from functional.world import Place

pytestmark = pytest.mark.usefixtures("operator")
NODE = "node-that-is-lost"
LEASE = {"failover": {"leaseDuration": "30s"}}


@pytest.fixture
def node(place: Place) -> str:
    """The name of a node that does not report."""
    if place.admin.get("Node", "", NODE) is None:
        place.admin.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        unheard = {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
        place.admin.merge("Node", "", NODE, unheard, "status")
    return NODE


def running(place: Place, name: str, node: str, **spec: Manifest) -> Worker:
    """Make a session whose worker is connected on a node."""
    place.session(name, **LEASE, **spec)
    worker = place.wait_worker(name)
    worker.bind(node)
    worker.runs()
    wait(lambda: _renewed(worker), f"the Lease of {name} to be taken")
    worker.says("Connected", **connected())
    place.wait_phase(name, "Connected")
    return worker


def _renewed(worker: Worker) -> bool:
    try:
        worker.holds_lease()
    except Exception as error:
        if getattr(error, "status", 0) in (403, 409, 422):
            return False  # the operator has not named this pod yet
        raise
    return True


def test_sessions_of_a_lost_node_move_once_their_lease_has_expired(place: Place, node: str) -> None:
    place.store("s3", s3={"bucket": "sessions", "region": "eu-central-1"})
    place.store("pvc")
    moves = running(place, "moves", node, **remote("s3"))
    pinned = running(place, "pinned", node, **remote("pvc"))
    unforced = running(place, "unforced", node, auth={"strategy": "NoAuth"})
    renews = running(place, "renews", node, **remote("s3"))
    for worker in (moves, pinned, unforced, renews):
        worker.node_is_lost()

    def moved() -> bool:
        _renewed(renews)
        pod = place.pod("moves")
        return pod is not None and pod["metadata"]["uid"] != moves.uid

    wait(moved, lambda: f"another pod; {place.status('moves')}", 180)
    lease = place.lease("moves")
    assert lease is not None
    assert not lease["spec"].get("holderIdentity")
    assert not [name for name in lease["metadata"]["annotations"] if "terminated" in name]
    place.wait_phase("pinned", "Pending", "NodeLost")
    assert place.condition("pinned", "Saved")["status"] == "Unknown"
    assert "the PVC 'archives'" in place.condition("pinned", "Ready")["message"]
    place.wait_phase("unforced", "Pending", "NodeLost")
    assert "--force" in place.condition("unforced", "Ready")["message"]
    for worker in (pinned, unforced, renews):
        pod = place.pod(worker.session)
        assert pod is not None
        assert pod["metadata"]["uid"] == worker.uid


def remote(store: str) -> dict[str, Manifest]:
    """Return a spec of a session in a store."""
    return {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"storeRef": {"name": store}}}}
