"""Decide how a session's archives move after a change of its store: a pod copies them before the next worker starts.

Both stores must exist: the one that holds the archives (``status.worker.last.store``) and the one in the spec. A user
who deletes the old store, or sets it in the spec again, ends the move.
"""

from dataclasses import dataclass
from typing import TypeAlias

from whatsapp_operator.observed import requests
from whatsapp_operator.observed.ages import Ages, What, age
from whatsapp_operator.observed.state import Observed, Ownership, Pod, Store, Wanted
from whatsapp_operator.session import termination
from whatsapp_operator.session.purge import FAILED_PAUSE_SECONDS, LOOK_AGAIN_SECONDS, is_lost


@dataclass(frozen=True, slots=True)
class CreateMovePod:
    """Create the pod that moves the archives."""


@dataclass(frozen=True, slots=True)
class DeleteMovePod:
    """Delete that pod, with ``force`` without waiting for its node; ``message`` is for an Event, None posts none."""

    uid: str
    force: bool = False
    message: str | None = None


Step: TypeAlias = CreateMovePod | DeleteMovePod


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps before a worker may start, and seconds until the next reconciliation."""

    actions: tuple[Step, ...] = ()
    look_again: float = LOOK_AGAIN_SECONDS


def due(observed: Observed) -> bool:
    """Return whether the session's archives are in another store than the one in the spec.

    A relink request gives up the archives.
    """
    store, source = observed.store, observed.source
    if store is None or source is None or "relink" in requests.for_the_worker(observed.session):
        return False
    return termination.remember(observed).store == source.name != store.name


def home(observed: Observed) -> Store | None:
    """Return the name of the store that holds the session's archives, None if unknown."""
    return observed.source if due(observed) else observed.store


def steps(observed: Observed, wanted: Wanted) -> Steps | None:
    """Return the steps that must precede the next worker, None if there are none."""
    pod = observed.move_pod
    if pod is not None and pod.ownership is Ownership.FOREIGN:
        return Steps(look_again=FAILED_PAUSE_SECONDS) if due(observed) else None
    if not due(observed):
        return abandoned(observed)
    if pod is None:
        return Steps((CreateMovePod(),))
    stale = pod.ownership is Ownership.PREDECESSOR or pod.template_hash != wanted.move_hash
    left = FAILED_PAUSE_SECONDS - age(observed.ages, What.FAILED, pod.uid) if pod.phase == "Failed" else None
    if pod.deleting or stale or (left is not None and left <= 0):
        return _away(pod, observed.ages)
    return Steps() if left is None else Steps(look_again=left)


def abandoned(observed: Observed) -> Steps | None:
    """Return the step that deletes a move pod that is done or no longer needed; None without one."""
    pod = observed.move_pod
    if pod is None or pod.ownership is Ownership.FOREIGN:
        return None
    return _away(pod, observed.ages, _told(observed, pod))


def _away(pod: Pod, ages: Ages, message: str | None = None) -> Steps:
    if not pod.deleting:
        return Steps((DeleteMovePod(pod.uid, message=message),))
    return Steps((DeleteMovePod(pod.uid, force=True),) if is_lost(pod, ages) else ())


def _told(observed: Observed, pod: Pod) -> str | None:
    if termination.moved_to(observed) is None or observed.source is None:
        return None
    said = f": {pod.ending.message}" if pod.ending is not None and pod.ending.message else ""
    return f"the session moved from the SessionStore {observed.source.name!r} to {pod.store!r}{said}"
