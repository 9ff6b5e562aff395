"""Decide what becomes of a deleted session's archives: the finalizer, the pod that deletes them, and when to let go.

The finalizer is there only with ``onDelete: Delete``, and it goes in every case in which no pod will ever purge: the
user chose otherwise, or the namespace is being deleted and takes no new pod.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from whatsapp_operator.observed import requests
from whatsapp_operator.observed.ages import Ages, What, age
from whatsapp_operator.observed.state import Observed, Ownership, Pod, Session, Store
from whatsapp_session import names
from whatsapp_session.conditions import Reason
from whatsapp_session.session_spec import OnDelete

LOOK_AGAIN_SECONDS: Final = 15.0
FAILED_PAUSE_SECONDS: Final = 60.0
"""After a pod that failed as a whole, such as one that was evicted; a container is restarted in place by the node."""
LOST_SECONDS: Final = 60.0
"""So long after its grace a pod that is still stopping is on a lost node; its claim on the log fences it."""
ARCHIVES_STAY: Final = "the session's archives stay in the store"


@dataclass(frozen=True, slots=True)
class HoldSession:
    """Set the finalizer."""


@dataclass(frozen=True, slots=True)
class HoldStore:
    """Set the finalizer of the store that holds the archives, without which nothing can be purged."""


@dataclass(frozen=True, slots=True)
class CreatePurgePod:
    """Make the pod that deletes the archives."""


@dataclass(frozen=True, slots=True)
class AskNamespace:
    """Find out whether the namespace is being deleted: without a store no pod is made whose refusal would say so."""


@dataclass(frozen=True, slots=True)
class DeletePurgePod:
    """Delete that pod; ``force`` without waiting for its node."""

    uid: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseSession:
    """Remove the finalizer; ``message`` says what became of the archives."""

    message: str


Step: TypeAlias = HoldSession | HoldStore | AskNamespace | CreatePurgePod | DeletePurgePod | ReleaseSession


@dataclass(frozen=True, slots=True)
class Steps:
    """What to do now, in order, and after how many seconds to look again."""

    actions: tuple[Step, ...] = ()
    look_again: float | None = None


def wanted(session: Session) -> bool:
    """Return whether the archives are to go with the resource."""
    remote = session.spec.auth.remote
    return remote is not None and remote.on_delete is OnDelete.DELETE


def held(session: Session) -> bool:
    """Return whether our finalizer is there."""
    return names.FINALIZER_PURGE in session.finalizers


def hold(session: Session, store: Store | None) -> tuple[Step, ...]:
    """Return what a session that lives needs: finalizers if, and only if, its archives are to go with it."""
    if not wanted(session):
        message = "the session's archives stay in the store when the session is deleted"
        return (ReleaseSession(message),) if held(session) else ()
    return (*hold_store(store), *(() if held(session) else [HoldSession()]))


def hold_store(store: Store | None) -> tuple[Step, ...]:
    """Return what keeps a store until nothing is to be purged there any more."""
    loose = store is not None and not store.deleting and names.FINALIZER_STORE not in store.finalizers
    return (HoldStore(),) if loose else ()


def skipped(session: Session) -> bool:
    """Return whether a person requests that the archives stay."""
    return not wanted(session) or requests.skip_purge(session)


def way_out(session: Session) -> str:
    """Return how a person lets a session go without its archives."""
    command = (
        f"kubectl annotate was {session.name} -n {session.namespace} {names.request_annotation(requests.SKIP_PURGE)}"
    )
    return f'to keep the archives and finish the deletion, run `{command}="$(date -u +%FT%TZ)"`'


def steps(observed: Observed) -> Steps:
    """Return the next steps for a session that is being deleted and whose worker has gone."""
    session, pod = observed.session, observed.purge_pod
    if not held(session):
        return Steps()
    if skipped(session):
        return Steps((ReleaseSession(ARCHIVES_STAY), *_away(pod)))
    if observed.refusal is not None and observed.refusal.reason is Reason.STOPPING:
        message = f"{ARCHIVES_STAY}, because a namespace that is being deleted accepts no pod to delete them"
        return Steps((ReleaseSession(message), *_away(pod)))
    if observed.refusal is not None:
        return Steps(look_again=LOOK_AGAIN_SECONDS)
    if observed.store is None:
        return Steps((AskNamespace(),), LOOK_AGAIN_SECONDS)
    if pod is None:
        return Steps((CreatePurgePod(),), LOOK_AGAIN_SECONDS)
    return _pod_there(pod, observed.ages)


def is_lost(pod: Pod, ages: Ages) -> bool:
    """Return whether a pod that is being deleted is on a node that does not answer any more."""
    return pod.deleting and age(ages, What.DELETING, pod.uid) > pod.grace + LOST_SECONDS


def _pod_there(pod: Pod, ages: Ages) -> Steps:
    if pod.ownership is Ownership.FOREIGN:
        return Steps(look_again=FAILED_PAUSE_SECONDS)
    if pod.ownership is Ownership.OURS and pod.did_well:
        # First the session: what is then left of the pod goes with the next look, and nothing is purged twice.
        return Steps((ReleaseSession("the operator deleted the session's archives"), *_away(pod)))
    if pod.deleting:
        return Steps((DeletePurgePod(pod.uid, force=True),) if is_lost(pod, ages) else (), LOOK_AGAIN_SECONDS)
    if pod.ownership is Ownership.PREDECESSOR:
        return Steps(_away(pod), LOOK_AGAIN_SECONDS)
    if pod.phase == "Failed":
        left = FAILED_PAUSE_SECONDS - age(ages, What.FAILED, pod.uid)
        return Steps(look_again=left) if left > 0 else Steps(_away(pod), LOOK_AGAIN_SECONDS)
    return Steps(look_again=LOOK_AGAIN_SECONDS)


def _away(pod: Pod | None) -> tuple[Step, ...]:
    if pod is None or pod.ownership is Ownership.FOREIGN:
        return ()
    return (DeletePurgePod(pod.uid, force=pod.deleting),)
