"""Decide the next steps for one session: spec and observation in, steps out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from whatsapp_operator.observed.ages import Fact, What, age
from whatsapp_operator.observed.state import Observed, Ownership, Pod, Wanted
from whatsapp_operator.session import failover, move, purge, termination
from whatsapp_session.conditions import Reason
from whatsapp_session.session_spec import OperatingMode

POLICY_RETRY_SECONDS: Final = 15.0
FOREIGN_SECONDS: Final = 30.0
"""Seconds until the next check for a foreign pod in the way, which the operator does not watch."""


@dataclass(frozen=True, slots=True)
class ApplyAccess:
    """Apply the worker's service account and its rights."""


@dataclass(frozen=True, slots=True)
class ApplyPVC:
    """Apply LocalAuth's PVC."""


@dataclass(frozen=True, slots=True)
class ApplyLease:
    """Apply the Lease with the UID of the pod that may update it (None: no pod yet) and the requests for the worker."""

    pod_uid: str | None


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Create the worker pod."""


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete the pod with this UID gracefully; ``reason`` and ``message`` are for the Event."""

    uid: str
    reason: Reason
    message: str
    replaces: bool = False
    """Whether another pod replaces it, which the API server must accept first."""
    paced: bool = False
    """Whether the replacement waits for its turn: replacements by an upgrade do, those that the user caused do not."""


BEING_DELETED: Final = "the session is being deleted"
SUSPENDED: Final = "the session is suspended; the worker saves and stops"
RESTART: Final = "the user requested a restart"


@dataclass(frozen=True, slots=True)
class Postpone:
    """Tell the user that the requested replacement of the pod with this UID happens later."""

    uid: str


Action: TypeAlias = (
    ApplyAccess | ApplyPVC | ApplyLease | CreatePod | Postpone
    | DeletePod | failover.ForceDeletePod | purge.Step | move.Step
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """The next steps, in order, and the seconds until the next reconciliation (None: at the next event)."""

    actions: tuple[Action, ...] = ()
    look_again: float | None = None


def facts(observed: Observed) -> Iterator[Fact]:
    """Yield the facts whose ages a decision needs."""
    yield from failover.facts(observed)
    last, pod = observed.session.last, observed.pod
    if last.end_time is not None:
        yield What.ENDED, last.pod_uid or ""
    if pod is not None and termination.is_over(pod):
        yield What.ENDED, pod.uid  # that of the last worker, if the pod no longer exists
    for pod in filter(None, (observed.move_pod, observed.purge_pod)):
        if pod.deleting:
            yield What.DELETING, pod.uid
        if pod.phase == "Failed":
            yield What.FAILED, pod.uid
        if pod.running_since is None:
            yield What.THERE, pod.uid


def plan(observed: Observed, wanted: Wanted | None) -> Plan:
    """Return the next steps. ``wanted`` is None while the store is missing."""
    steps = _plan_deletion(observed) if observed.session.deleting else _plan_running(observed, wanted)
    held = () if observed.session.deleting else purge.hold(observed.session, observed.store)
    given_up = failover.given_up(observed)
    forced = () if given_up is None else (given_up,)
    again = [seconds for seconds in (steps.look_again, failover.look_again(observed)) if seconds is not None]
    return Plan((*held, *steps.actions, *forced), min(again, default=None))


def _plan_deletion(observed: Observed) -> Plan:
    session, pod = observed.session, observed.pod
    leave: tuple[Action, ...] = ()
    if pod is not None and pod.ownership is not Ownership.FOREIGN:
        leave = () if pod.deleting else (_stop(pod),)
        if not (purge.held(session) and purge.skipped(session)):
            return Plan(leave)
    # Otherwise the purge would miss archives that are copied now.
    copying = move.abandoned(observed)
    if copying is not None and purge.held(session):
        return Plan((*leave, *copying.actions), copying.look_again)
    found = purge.steps(observed)
    unmoved = observed.purge_pod is None and move.due(observed)
    needed = unmoved and purge.held(session) and not purge.skipped(session)
    # The source of a pending move holds the archives, and has no finalizer yet.
    kept = purge.hold_store(observed.source) if needed else ()
    return Plan((*leave, *kept, *found.actions), found.look_again)


def _stop(pod: Pod) -> DeletePod:
    return DeletePod(pod.uid, Reason.STOPPING, BEING_DELETED)


def _plan_running(observed: Observed, wanted: Wanted | None) -> Plan:
    pod = observed.pod
    if pod is None:
        return _start(observed, wanted)
    if pod.ownership is Ownership.FOREIGN:
        return Plan(look_again=FOREIGN_SECONDS)
    if pod.deleting:
        return Plan()
    leave = _replacement(observed, pod, wanted)
    if leave is not None and not leave.replaces:
        return Plan((leave,))
    if observed.barred or (observed.store is not None and observed.store.unfenced):
        leave = None  # the operator would not start the next worker
    # Without the store the service account is unknown.
    access = () if wanted is None else (ApplyAccess(),)
    # Also for a worker that will be replaced: it may wait for its turn and keeps running until then.
    return Plan((*access, ApplyLease(pod.uid), *(() if leave is None else (leave,))))


def _replacement(observed: Observed, pod: Pod, wanted: Wanted | None) -> DeletePod | None:
    session = observed.session
    if pod.ownership is Ownership.PREDECESSOR:
        return DeletePod(pod.uid, Reason.REPLACING, "the pod belonged to a deleted session of the same name")
    if termination.is_over(pod):
        return DeletePod(pod.uid, Reason.STOPPING, "the worker has ended")
    if session.spec.operating_mode is OperatingMode.SUSPENDED:
        return DeletePod(pod.uid, Reason.SUSPENDED, SUSPENDED)
    if wanted is not None and wanted.violation is None and pod.template_hash != wanted.template_hash:
        why = replaced(_changed(pod, wanted))
        asked = pod.generation != session.generation or pod.restarted_for != wanted.restarted_for
        return DeletePod(pod.uid, Reason.REPLACING, why, replaces=True, paced=not asked)
    return None


def replaced(why: str) -> str:
    """Return the message of the Event about a replacement."""
    return f"the operator replaces the worker pod: {why}"


def _changed(pod: Pod, wanted: Wanted) -> str:
    """Return what differs, without values, which can be private."""
    if pod.image != wanted.image:
        return f"the image changed from {pod.image} to {wanted.image}"
    if pod.restarted_for != wanted.restarted_for:
        return RESTART
    differing = sorted(name for name in wanted.env.keys() | pod.env.keys() if wanted.env.get(name) != pod.env.get(name))
    return f"these settings changed: {', '.join(differing)}" if differing else "the pod template changed"


def _start(observed: Observed, wanted: Wanted | None) -> Plan:
    session = observed.session
    suspended = session.spec.operating_mode is OperatingMode.SUSPENDED
    if suspended or wanted is None or wanted.violation is not None:
        return _plan(move.abandoned(observed))
    if observed.barred:
        return Plan(look_again=POLICY_RETRY_SECONDS)
    if observed.store is not None and observed.store.unfenced:
        return Plan()
    copying = move.steps(observed, wanted)
    if copying is not None:
        return _plan(copying, ApplyAccess())
    last = termination.remember(observed)
    held = termination.start_blocked(session, last, wanted.template_hash)
    ended = age(observed.ages, What.ENDED, last.pod_uid or "")
    if held is not None and (held.pause is None or held.pause > ended):
        return Plan(look_again=None if held.pause is None else held.pause - ended)
    pvc: tuple[Action, ...] = (ApplyPVC(),) if wanted.needs_pvc else ()
    return Plan((ApplyAccess(), *pvc, ApplyLease(None), CreatePod()))


def _plan(steps: move.Steps | None, *before: Action) -> Plan:
    return Plan() if steps is None else Plan((*before, *steps.actions), steps.look_again)
