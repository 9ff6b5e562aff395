"""A worker whose node is lost: what the operator checks, when it gives the pod up, and what it says meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from scenes.operator import samples
from scenes.operator.cluster import LEASE, POD, SESSION, Cluster, connected, set_spec
from whatsapp_kube.errors import Refused
from whatsapp_kube.requests import Ref
from whatsapp_operator.observed import worker_contact
from whatsapp_operator.session import failover
from whatsapp_session import timestamps

Manifest = dict[str, Any]
NODE = Ref("Node", "", "node-1")
UNKNOWN = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
ANSWERS = {"conditions": [{"type": "Ready", "status": "True"}]}
OUT = {"taints": [{"key": worker_contact.OUT_OF_SERVICE, "effect": "NoExecute"}]}


def node(cluster: Cluster, status: Manifest, spec: Manifest | None = None) -> None:
    """Create the node again as the node controller sees it."""
    cluster.kube.objects.pop(NODE, None)
    cluster.kube.put(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": spec or {}, "status": status}
    )


def running(spec: Manifest | None = None) -> Cluster:
    """Return a cluster with a connected session, whose worker has just renewed its Lease."""
    cluster = connected(spec)
    cluster.change(POD, lambda pod: pod["spec"].update(volumes=[]))  # the store's PVC, which one node may use
    node(cluster, ANSWERS)
    renew(cluster)
    cluster.settle()
    return cluster


def renew(cluster: Cluster) -> None:
    """Play the worker: it renews its Lease."""
    uid = cluster.kube.objects[POD]["metadata"]["uid"]
    moment = timestamps.rfc3339(cluster.clock.time.timestamp(), "microseconds")
    cluster.change(LEASE, lambda lease: lease["spec"].update(holderIdentity=uid, renewTime=moment))


def unheard(cluster: Cluster) -> None:
    """Play the node controller: the node does not report."""
    node(cluster, UNKNOWN)

    def mark(pod: Manifest) -> None:
        pod["status"]["conditions"] = [
            {"type": "Ready", "status": "False"},
            {"type": "ContainersReady", "status": "True"},
        ]

    cluster.change(POD, mark)


def evict(cluster: Cluster) -> None:
    """Play the taint controller: it deletes the pod, whose kubelet does not hear of it."""
    cluster.change(POD, lambda pod: pod["metadata"].update(deletionTimestamp="2026-01-01T12:05:00Z"))


def later(cluster: Cluster, seconds: float) -> None:
    """Let time pass, and reconcile."""
    cluster.clock.time += timedelta(seconds=seconds)
    cluster.look()


def condition(cluster: Cluster, kind: str) -> tuple[str, str, str]:
    """Return status, reason and message of a condition."""
    found = next(item for item in cluster.status["conditions"] if item["type"] == kind)
    return found["status"], found["reason"], found["message"]


def gave_up(cluster: Cluster, uid: str) -> bool:
    """Return whether the pod with this UID no longer exists."""
    found = cluster.kube.objects.get(POD)
    return found is None or found["metadata"]["uid"] != uid


def uid(cluster: Cluster) -> str:
    """Return the UID of the pod."""
    return str(cluster.kube.objects[POD]["metadata"]["uid"])


def test_a_session_moves_when_its_node_is_lost_and_the_lease_has_expired() -> None:
    cluster = running()
    old = uid(cluster)
    unheard(cluster)
    cluster.look()
    assert condition(cluster, "Saved")[0] == "True"
    later(cluster, 70)
    assert condition(cluster, "Saved")[:2] == ("Unknown", "LeaseExpired")
    assert condition(cluster, "Connected")[:2] == ("False", "NodeLost")
    assert "when Kubernetes has evicted the pod" in condition(cluster, "Ready")[2]
    assert not gave_up(cluster, old)
    evict(cluster)
    cluster.look()
    assert gave_up(cluster, old)
    cluster.settle()
    assert uid(cluster) != old
    lease = cluster.kube.objects[LEASE]
    assert lease["spec"]["holderIdentity"] == ""
    assert not [name for name in lease["metadata"]["annotations"] if "terminated" in name]
    messages = [item["message"] for item in cluster.kube.objects.values() if item["kind"] == "Event"]
    assert [message for message in messages if "no longer waits for the worker there" in message]


def test_a_pod_that_the_node_controller_has_marked_is_checked_at_once() -> None:
    cluster = running()
    cluster.clock.time += timedelta(seconds=70)
    unheard(cluster)
    cluster.look()
    assert condition(cluster, "Saved")[:2] == ("Unknown", "LeaseExpired")


def test_a_worker_that_renews_its_lease_keeps_its_pod_whatever_the_node_says() -> None:
    cluster = running()
    old = uid(cluster)
    unheard(cluster)
    evict(cluster)
    for _ in range(20):
        renew(cluster)
        later(cluster, 30)
    assert not gave_up(cluster, old)
    assert condition(cluster, "Saved")[0] == "True"


def test_a_lease_that_has_expired_on_a_node_that_answers_is_said_and_nothing_is_forced() -> None:
    cluster = running()
    old = uid(cluster)

    def not_ready(pod: Manifest) -> None:
        for item in pod["status"]["conditions"]:
            item["status"] = "False"

    cluster.change(POD, not_ready)
    cluster.look()
    later(cluster, failover.PATIENCE_SECONDS)
    later(cluster, 70)
    assert condition(cluster, "Saved")[:2] == ("Unknown", "LeaseExpired")
    assert condition(cluster, "Connected")[:2] == ("False", "LeaseExpired")
    evict(cluster)
    later(cluster, 300)
    assert not gave_up(cluster, old)


def mount(cluster: Cluster, modes: list[str]) -> None:
    """Let the pod mount a PVC."""
    volume = {"name": "more", "persistentVolumeClaim": {"claimName": "shared"}}
    cluster.change(POD, lambda pod: pod["spec"].setdefault("volumes", []).append(volume))
    cluster.kube.objects.pop(Ref("PersistentVolumeClaim", samples.NAMESPACE, "shared"), None)
    if modes:
        head = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        metadata = {"name": "shared", "namespace": samples.NAMESPACE}
        cluster.kube.put({**head, "metadata": metadata, "spec": {"accessModes": modes}})


ONE_NODE: dict[str, list[str]] = {
    "once": ["ReadWriteOnce"],
    "once for a pod": ["ReadWriteOncePod"],
    "cannot be read": [],
}


def lost(cluster: Cluster) -> str:
    """Play the loss of the node until long after the Lease has expired; returns the UID of the lost pod."""
    old = uid(cluster)
    unheard(cluster)
    evict(cluster)
    cluster.look()
    later(cluster, 300)
    return old


@pytest.mark.parametrize("modes", ONE_NODE.values(), ids=ONE_NODE.keys())
def test_a_pod_whose_pvc_one_node_may_use_waits_until_the_node_is_declared_off(modes: list[str]) -> None:
    for off in (lambda cluster: cluster.kube.objects.pop(NODE), lambda cluster: node(cluster, UNKNOWN, OUT)):
        cluster = running()
        mount(cluster, modes)
        old = lost(cluster)
        assert not gave_up(cluster, old)
        assert "'shared'" in condition(cluster, "Ready")[2]
        assert "kubectl taint nodes node-1 node.kubernetes.io/out-of-service" in condition(cluster, "Ready")[2]
        off(cluster)
        later(cluster, failover.AGAIN_SECONDS)
        assert gave_up(cluster, old)


@pytest.mark.parametrize("modes", [["ReadWriteMany"], ["ReadOnlyMany"], ["ReadWriteOnce", "ReadWriteMany"]], ids=str)
def test_a_pvc_that_many_nodes_may_use_holds_nothing_up(modes: list[str]) -> None:
    cluster = running()
    mount(cluster, modes)
    assert gave_up(cluster, lost(cluster))


def test_noauth_is_not_forced_and_says_what_to_do() -> None:
    cluster = running({"auth": {"strategy": "NoAuth"}})
    old = lost(cluster)
    assert not gave_up(cluster, old)
    assert "kubectl delete pod wa-support -n bots --force" in condition(cluster, "Ready")[2]


ENDS: dict[str, Callable[[Cluster], None]] = {
    "suspended": lambda cluster: cluster.change(SESSION, set_spec(operatingMode="Suspended")),
    "deleted": lambda cluster: cluster.delete_session(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_session_on_a_lost_node_can_be_ended(end: Callable[[Cluster], None]) -> None:
    cluster = running(samples.DELETE)
    mount(cluster, ["ReadWriteOnce"])
    old = uid(cluster)
    unheard(cluster)
    end(cluster)
    cluster.look()
    later(cluster, 300)
    assert not gave_up(cluster, old)
    assert "'shared'" in condition(cluster, "Ready")[2]
    node(cluster, UNKNOWN, OUT)
    later(cluster, failover.AGAIN_SECONDS)
    assert gave_up(cluster, old)


def test_a_pod_in_deletion_is_checked_after_a_while_and_no_request_is_made_before() -> None:
    cluster = running()
    old = uid(cluster)
    evict(cluster)
    before = len(cluster.kube.calls)
    assert cluster.look() == failover.PATIENCE_SECONDS
    later(cluster, 5)
    assert not [call for call in cluster.kube.calls[before:] if call.startswith("get")]
    node(cluster, UNKNOWN)
    later(cluster, 10)
    later(cluster, 70)
    assert gave_up(cluster, old)


@pytest.mark.parametrize("marked", [True, False])
def test_without_the_right_to_read_nodes_the_mark_on_the_pod_decides(marked: bool) -> None:
    cluster = running()
    old = uid(cluster)
    if marked:
        unheard(cluster)
    evict(cluster)
    cluster.kube.deny = lambda asked: Refused(403, "no", asked) if asked.kind == "Node" else None
    cluster.look()
    later(cluster, 30)
    later(cluster, 300)
    assert gave_up(cluster, old) is marked


def test_the_holder_of_a_lease_that_has_not_expired_stays_when_its_pod_was_removed_by_somebody() -> None:
    cluster = running()
    old = uid(cluster)
    del cluster.kube.objects[POD]
    cluster.settle()
    assert uid(cluster) != old
    assert cluster.kube.objects[LEASE]["spec"]["holderIdentity"] == old


def test_a_lease_that_is_renewed_in_the_same_moment_keeps_its_holder() -> None:
    cluster = running()
    old = uid(cluster)
    cluster.clock.time += timedelta(seconds=300)
    del cluster.kube.objects[POD]
    applied = len(cluster.kube.calls)

    def renewed(number: int) -> None:
        if number >= applied and cluster.kube.calls[number] == f"apply Lease/{LEASE.name}":
            cluster.kube.after_call = lambda number: None
            cluster.change(LEASE, lambda lease: lease["spec"].update(renewTime="2026-01-01T12:05:01Z"))

    cluster.kube.after_call = renewed
    cluster.settle()
    assert cluster.kube.objects[LEASE]["spec"]["holderIdentity"] == old


def test_the_api_servers_own_record_of_a_renewal_counts_not_what_a_holder_wrote() -> None:
    now = 1_767_268_800.0
    entry = {"manager": "w", "time": timestamps.rfc3339(now - 10), "fieldsV1": {"f:spec": {"f:renewTime": {}}}}
    spec = {"holderIdentity": "x", "leaseDurationSeconds": 60, "renewTime": timestamps.rfc3339(now - 86400)}
    lease = {"metadata": {"managedFields": [entry]}, "spec": spec}
    assert not worker_contact.held_lease(lease, now).expired
    assert worker_contact.held_lease(lease, now + 60).expired
    assert worker_contact.held_lease({"spec": spec}, now).expired
    for odd in (None, {}, {"spec": None}, {"metadata": {"managedFields": [1, {"fieldsV1": "x"}]}, "spec": {}}):
        assert worker_contact.held_lease(odd, now).expired
