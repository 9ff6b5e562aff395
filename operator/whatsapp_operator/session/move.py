"""Decide how a session's archives follow a change of its store: a pod copies them before the next worker starts.

Only where both stores exist: the one that the session last ran on (``status.worker.last.store``) and the one that it
names now. Who deletes the old store, or names it again, ends the move.
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
    """Make the pod that copies the archives."""


@dataclass(frozen=True, slots=True)
class DeleteMovePod:
    """Delete that pod, ``force`` without waiting for its node; ``message`` is for an Event, None to tell nothing."""

    uid: str
    force: bool = False
    message: str | None = None


Step: TypeAlias = CreateMovePod | DeleteMovePod


@dataclass(frozen=True, slots=True)
class Steps:
    """What to do before a worker may start, and after how many seconds to look again."""

    actions: tuple[Step, ...] = ()
    look_again: float = LOOK_AGAIN_SECONDS


def due(observed: Observed) -> bool:
    """Return whether what the session saved is in another store than the one that it names now.

    Who requests a new link gives up what was saved.
    """
    store, source = observed.store, observed.source
    if store is None or source is None or "relink" in requests.for_the_worker(observed.session):
        return False
    return termination.remember(observed).store == source.name != store.name


def home(observed: Observed) -> Store | None:
    """Return the store in which the session's archives are; None when that is not known."""
    return observed.source if due(observed) else observed.store


def steps(observed: Observed, wanted: Wanted) -> Steps | None:
    """Return what stands between this session and its next worker, None when nothing does."""
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
    """Return how to get rid of a pod that has done its work, or whose work is not wanted any more; None without one."""
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
