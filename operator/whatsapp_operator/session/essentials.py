"""Decide the steps that must be possible for every session: suspend, restart and delete. Pure.

The operator falls back to this module if it does not understand a spec, if the API server rejects a status, or if it
fails to judge a session. The module uses a few fields only and no code of ``plan`` and ``status``.
"""

import dataclasses
import traceback
from pathlib import PurePath
from typing import Any, Final

from whatsapp_operator.observed import requests
from whatsapp_operator.observed.state import Observed, Ownership, Pod, Problem, Session, Wanted
from whatsapp_operator.session import plan, purge
from whatsapp_session import timestamps
from whatsapp_session.conditions import Reason
from whatsapp_session.session_spec import OperatingMode
from whatsapp_session.untrusted import mapping

Manifest = dict[str, Any]
LOOK_AGAIN_SECONDS: Final = 60.0


def steps(observed: Observed, wanted: Wanted | None) -> plan.Plan:
    """Return the next steps; ``wanted`` is None if the operator cannot build the pod."""
    session, pod = observed.session, observed.pod
    actions: list[plan.Action] = []
    if pod is not None and pod.ownership is not Ownership.FOREIGN and not pod.deleting:
        why = _why_it_goes(session, pod, wanted)
        if why is not None:
            actions.append(why)
        elif wanted is not None:
            actions += [plan.ApplyAccess(), plan.ApplyLease(pod.uid)]
    elif pod is None and wanted is not None and _may_start(observed):
        pvc = [plan.ApplyPVC()] if wanted.needs_pvc else []
        actions += [plan.ApplyAccess(), *pvc, plan.ApplyLease(None), plan.CreatePod()]
    if session.deleting and (pod is None or requests.skip_purge(session)):
        actions += _release(observed, wanted)
    return plan.Plan(tuple(actions), LOOK_AGAIN_SECONDS)


def _why_it_goes(session: Session, pod: Pod, wanted: Wanted | None) -> plan.DeletePod | None:
    if session.deleting:
        return plan.DeletePod(pod.uid, Reason.STOPPING, plan.BEING_DELETED)
    if session.spec.operating_mode is OperatingMode.SUSPENDED:
        return plan.DeletePod(pod.uid, Reason.SUSPENDED, plan.SUSPENDED)
    # Only if the operator can create the next pod: the user requested another worker, not none.
    if wanted is not None and timestamps.is_newer(session.asked.get(requests.RESTART), pod.restarted_for):
        return plan.DeletePod(pod.uid, Reason.REPLACING, plan.replaced(plan.RESTART))
    return None


def _may_start(observed: Observed) -> bool:
    """Return whether a worker may start although the end of the last one and the place of its archives are unknown."""
    session, store, last = observed.session, observed.store, observed.session.last
    if session.deleting or session.spec.operating_mode is OperatingMode.SUSPENDED or observed.barred:
        return False
    if store is not None and (store.unfenced or last.store not in (None, store.name)):
        return False
    return last.end_time is None or timestamps.is_newer(requests.newest_start(session), last.started_for)


def _release(observed: Observed, wanted: Wanted | None) -> tuple[purge.Step, ...]:
    session = observed.session
    if not purge.held(session):
        return ()
    if requests.skip_purge(session):
        return (purge.ReleaseSession(purge.ARCHIVES_STAY),)
    # Without a valid spec the operator does not know which archives are the session's.
    return purge.steps(observed).actions if wanted is not None else ()


def own_parts(observed: Observed, now: float) -> Manifest:
    """Return the fields of the status on which the rights of the worker and the handling of restarts depend."""
    session, pod = observed.session, observed.pod
    own = pod if pod is not None and pod.ownership is Ownership.OURS else None
    stored = mapping(session.status.get("worker"))
    kept = {name: part for name, part in stored.items() if name == "last"}
    if own is not None:
        same = stored if stored.get("podUID") == own.uid else kept
        kept = {**same, "pod": own.name, "podUID": own.uid}
    return {
        "worker": kept,
        "handledRequests": requests.handled(session, own, now),
    }


def told(observed: Observed, wanted: Wanted | None, problem: Problem) -> Problem:
    """Return the problem, with what the user can do if a deletion waits for it."""
    session = observed.session
    if wanted is not None or not (session.deleting and purge.held(session)):
        return problem
    text = f"{problem.message}; until then its archives cannot be deleted; {purge.way_out(session)}"
    return dataclasses.replace(problem, message=text)


def fault(error: Exception) -> Problem:
    """Return the message about a fault of the operator: its place in the code, but no values, which can be secret."""
    text = (
        f"the operator has a bug and cannot reconcile this session ({place(error)}). You can still suspend, restart and"
        " delete the session; report the operator's log and upgrade the operator"
    )
    return Problem(Reason.OPERATOR_FAULT, text)


def place(error: Exception) -> str:
    """Return the class of an error and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].name}, {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
