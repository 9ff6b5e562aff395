"""Decide when a worker on a lost node is given up, so that another node can run the session. Pure.

A pod on a node that does not answer stays in deletion for ever, because only its kubelet could confirm its end. The
operator deletes such a pod without waiting when the node is lost and the worker's Lease has expired. The old worker may
still run and reach the store: the next worker claims the session in the store, and waits until the old one must have
frozen its browser. See the persistence protocol.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from whatsapp_operator.observed.ages import Fact, What, age
from whatsapp_operator.observed.state import Observed, Ownership, Pod
from whatsapp_operator.observed.worker_contact import OUT_OF_SERVICE, WorkerContact
from whatsapp_operator.session.pod_startup import PhaseStatus
from whatsapp_session.conditions import Phase, Reason, SessionState
from whatsapp_session.session_spec import Strategy

PATIENCE_SECONDS: Final = 15.0
"""Seconds for which a pod is being deleted, or is unready without a reason, before the operator checks its worker."""
AGAIN_SECONDS: Final = 10.0
"""Seconds between two checks of a worker whose Lease has expired."""
READY: Final = frozenset(
    {SessionState.AWAITING_LINK, SessionState.SYNCING, SessionState.CONNECTED, SessionState.RECONNECTING}
    | {SessionState.CONFLICT, SessionState.FROZEN}
)
"""States in which a worker's readiness probe succeeds."""


@dataclass(frozen=True, slots=True)
class ForceDeletePod:
    """Delete the pod with this UID without waiting for its node; ``message`` is for the Event."""

    uid: str
    message: str


def facts(observed: Observed) -> Iterator[Fact]:
    """Yield the facts whose ages a decision needs."""
    pod = _placed(observed)
    if pod is not None and pod.deleting:
        yield What.DELETING, pod.uid
    if pod is not None and _unexplained(observed, pod):
        yield What.UNREADY, pod.uid


def check_due(observed: Observed) -> bool:
    """Return whether the operator must check if the worker still runs."""
    return _wait(observed) == 0.0


def look_again(observed: Observed) -> float | None:
    """Return the seconds until the next check, None if there is no reason for one."""
    contact = observed.contact
    if contact is None:
        return _wait(observed)
    return AGAIN_SECONDS if contact.lease.expired else max(1.0, contact.lease.seconds_left)


def given_up(observed: Observed) -> ForceDeletePod | None:
    """Return the deletion of a pod that is being deleted on a lost node, None if the node or a person must end it."""
    pod, contact = _placed(observed), observed.contact
    if pod is None or contact is None or not (pod.deleting and contact.lease.expired and contact.node.lost):
        return None
    if _obstacle(observed, contact) is not None:
        return None
    return ForceDeletePod(pod.uid, f"{_lost(pod, contact)}, so the operator no longer waits for the worker there")


def silent(observed: Observed) -> bool:
    """Return whether the worker holds a Lease that it has not renewed in time."""
    contact = observed.contact
    return contact is not None and contact.lease.holder != "" and contact.lease.expired


def phase(observed: Observed) -> PhaseStatus | None:
    """Return the phase of a session whose worker no longer shows that it runs, None for any other."""
    pod, contact = _placed(observed), observed.contact
    if pod is None or contact is None or not contact.lease.expired or not (pod.deleting or silent(observed)):
        return None
    if contact.node.lost:
        return PhaseStatus(Phase.PENDING, Reason.NODE_LOST, _prospect(observed, pod, contact))
    if pod.deleting:
        return None
    text = "the worker has not renewed its Lease in time, so nobody knows whether the session is connected"
    return PhaseStatus(Phase.RECONNECTING, Reason.LEASE_EXPIRED, text)


def note(observed: Observed) -> str:
    """Return what holds up the end of a pod, to be added to a message; "" if nothing is known to."""
    found = phase(observed)
    return f"; {found.message}" if found is not None and found.reason is Reason.NODE_LOST else ""


def _placed(observed: Observed) -> Pod | None:
    """Return the pod if it is the session's, on a node, and not known to have ended."""
    pod = observed.pod
    if pod is None or pod.ownership is Ownership.FOREIGN or pod.node is None or pod.phase in ("Succeeded", "Failed"):
        return None
    return pod


def _unexplained(observed: Observed, pod: Pod) -> bool:
    """Return whether a pod is not ready although its worker says that it is."""
    report = observed.session.report
    if pod.ready or pod.running_since is None or report is None:
        return False
    return report.pod_uid == pod.uid and report.state in READY


def _wait(observed: Observed) -> float | None:
    """Return the seconds until a check is due, None if there is no reason for one."""
    pod = _placed(observed)
    if pod is None:
        return None
    if pod.node_silent:
        return 0.0
    ages = [age(observed.ages, what, of) for what, of in facts(observed)]
    return max(0.0, PATIENCE_SECONDS - max(ages)) if ages else None


def _lost(pod: Pod, contact: WorkerContact) -> str:
    if contact.node.off:
        return f"the node {pod.node!r} no longer exists or is marked as out of service"
    return f"the node {pod.node!r} does not answer and the worker's Lease has expired"


def _obstacle(observed: Observed, contact: WorkerContact) -> str | None:
    """Return why a pod on this lost node must not be given up yet, None if it may be."""
    pod = observed.pod
    assert pod is not None, "checked by the caller"
    if observed.session.spec.auth.strategy is Strategy.NO_AUTH:
        force = f"kubectl delete pod {pod.name} -n {observed.session.namespace} --force"
        return f"with NoAuth nothing but the node ends the old browser; if the node is off, run `{force}`"
    if contact.pinned_by is None or contact.node.off:
        return None
    taint = f"kubectl taint nodes {pod.node} {OUT_OF_SERVICE}=nodeshutdown:NoExecute"
    return (
        f"the pod mounts the PVC {contact.pinned_by!r}, which one node at a time may use; if the node is off,"
        f" delete its Node object or run `{taint}`"
    )


def _prospect(observed: Observed, pod: Pod, contact: WorkerContact) -> str:
    """Return what happens next, or what a person must do."""
    lost, obstacle = _lost(pod, contact), _obstacle(observed, contact)
    if obstacle is not None:
        return f"{lost}; no other node takes over, because {obstacle}"
    if not pod.deleting:
        return f"{lost}; another node takes over when Kubernetes has evicted the pod"
    return f"{lost}; another node takes over"
