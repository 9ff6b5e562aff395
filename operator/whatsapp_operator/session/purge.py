"""Decide how the archives of a deleted session are purged: finalizer, purge pod, and removal of the finalizer.

A session has the finalizer only with ``onDelete: Delete``. The operator removes it if no pod can ever purge: the user
chose otherwise, or the namespace is being deleted and accepts no new pods.
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
"""Delays after a failed pod, such as an evicted one; the kubelet restarts a failed container itself."""
LOST_SECONDS: Final = 60.0
"""Seconds after its grace period at which a pod counts as lost with its node; its claim in the log fences it."""
ARCHIVES_STAY: Final = "the session's archives stay in the store"


@dataclass(frozen=True, slots=True)
class HoldSession:
    """Set the finalizer."""


@dataclass(frozen=True, slots=True)
class HoldStore:
    """Set the finalizer of the store that holds the archives, which a purge needs."""


@dataclass(frozen=True, slots=True)
class CreatePurgePod:
    """Create the pod that purges the archives."""


@dataclass(frozen=True, slots=True)
class AskNamespace:
    """Check whether the namespace is being deleted: without a store no rejected pod would tell it."""


@dataclass(frozen=True, slots=True)
class DeletePurgePod:
    """Delete that pod, with ``force`` without waiting for its node."""

    uid: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseSession:
    """Remove the finalizer; ``message`` says what happened to the archives."""

    message: str


Step: TypeAlias = HoldSession | HoldStore | AskNamespace | CreatePurgePod | DeletePurgePod | ReleaseSession


@dataclass(frozen=True, slots=True)
class Steps:
    """The next steps, in order, and the seconds until the next reconciliation."""

    actions: tuple[Step, ...] = ()
    look_again: float | None = None


def wanted(session: Session) -> bool:
    """Return whether the archives are purged when the session is deleted."""
    remote = session.spec.auth.remote
    return remote is not None and remote.on_delete is OnDelete.DELETE


def held(session: Session) -> bool:
    """Return whether the session has the operator's finalizer."""
    return names.FINALIZER_PURGE in session.finalizers


def hold(session: Session, store: Store | None) -> tuple[Step, ...]:
    """Return the steps that set finalizers of a live session, or remove them if its archives are retained."""
    if not wanted(session):
        message = "the session's archives stay in the store when the session is deleted"
        return (ReleaseSession(message),) if held(session) else ()
    return (*hold_store(store), *(() if held(session) else [HoldSession()]))


def hold_store(store: Store | None) -> tuple[Step, ...]:
    """Return the step that keeps a store until no purge needs it."""
    loose = store is not None and not store.deleting and names.FINALIZER_STORE not in store.finalizers
    return (HoldStore(),) if loose else ()


def skipped(session: Session) -> bool:
    """Return whether a user requests to keep the archives."""
    return not wanted(session) or requests.skip_purge(session)


def way_out(session: Session) -> str:
    """Return the instruction for deleting a session without its archives."""
    command = (
        f"kubectl annotate was {session.name} -n {session.namespace} {names.request_annotation(requests.SKIP_PURGE)}"
    )
    return f'to keep the archives and finish the deletion, run `{command}="$(date -u +%FT%TZ)"`'


def steps(observed: Observed) -> Steps:
    """Return the next steps for a session that is being deleted and has no worker any more."""
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
    """Return whether a pod that is being deleted is on a lost node."""
    return pod.deleting and age(ages, What.DELETING, pod.uid) > pod.grace + LOST_SECONDS


def _pod_there(pod: Pod, ages: Ages) -> Steps:
    if pod.ownership is Ownership.FOREIGN:
        return Steps(look_again=FAILED_PAUSE_SECONDS)
    if pod.ownership is Ownership.OURS and pod.did_well:
        # Release the session first, so that nothing is purged twice; a later reconciliation deletes the pod.
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
