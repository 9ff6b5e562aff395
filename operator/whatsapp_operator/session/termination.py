"""Judge how a worker ended: what is remembered of it, and whether and when the next one may start."""

import dataclasses
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from whatsapp_operator.observed import evictions, requests
from whatsapp_operator.observed.ages import What, age
from whatsapp_operator.observed.state import Ending, Last, Observed, Ownership, Pod, Problem, Report, Session
from whatsapp_session import timestamps
from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_session.session_spec import OperatingMode

CRASH_BACKOFF: Final = Backoff(10.0, 300.0)
"""Pauses after a pod that failed as a whole (a container is restarted in place by the node)."""
REFUSED_BACKOFF: Final = Backoff(60.0, 3600.0)
"""Pauses after the page refused us: asking often makes a ban worse."""
SETTLED_SECONDS: Final = 600
"""A worker that ran this long had started well: its end begins a new count."""

_FOR_GOOD = frozenset({ExitCode.DONE, ExitCode.CONFIGURATION, ExitCode.STORE_REFUSED, ExitCode.PAGE_REFUSED})
_HEALTHY = frozenset(
    {SessionState.AWAITING_LINK, SessionState.SYNCING, SessionState.CONNECTED, SessionState.RECONNECTING}
)


class NextStart(Enum):
    """What becomes of a session whose worker has ended."""

    AGAIN = auto()
    """Nothing is wrong: the next worker starts at once."""
    BACKOFF = auto()
    """The next worker starts after a pause."""
    HELD = auto()
    """Failed until the template changes or a person asks for a restart."""
    LINK_EXPIRED = auto()
    LOGGED_OUT = auto()


@dataclass(frozen=True, slots=True)
class StartBlocked:
    """Why no worker starts now.

    ``pause`` is counted in seconds from when the operator saw the end, None: until something changes.
    """

    next_start: NextStart
    pause: float | None
    reason: Reason
    message: str


def is_over(pod: Pod) -> bool:
    """Return whether the worker in this pod has ended for good, so that the pod should go.

    By the container, because a sidecar of the user's keeps the pod running.
    """
    if pod.phase in ("Succeeded", "Failed"):
        return True
    return pod.running_since is None and pod.ending is not None and pod.ending.exit_code in _FOR_GOOD


def fresh_report(session: Session, pod: Pod | None) -> Report | None:
    """Return the report if the process that runs now wrote it: not another pod, not a container before a restart."""
    report = session.report
    if report is None or pod is None or report.pod_uid != pod.uid or pod.ownership is not Ownership.OURS:
        return None
    since, started = timestamps.seconds(report.state_since), timestamps.seconds(pod.running_since)
    if pod.running_since is None or since is None:
        return None
    # Both clocks are the node's; the container's start has whole seconds.
    return report if started is None or since >= int(started) else None


def left_behind(session: Session, pod: Pod | None) -> bool:
    """Return whether a process that lives no more wrote the report.

    One of the pod's own process that the kubelet has not yet called running is neither this nor fresh.
    """
    report = session.report
    if report is None or fresh_report(session, pod) is not None:
        return False
    if pod is None or report.pod_uid != pod.uid or pod.ownership is not Ownership.OURS or pod.running_since is not None:
        return True
    if pod.ending is None:
        return False
    since = timestamps.seconds(report.state_since)
    return since is None or since <= (timestamps.seconds(pod.ending.finished) or 0.0)


def next_start(exit_code: int | None, reason: str | None) -> NextStart:
    """Judge by the worker's exit code and its own word."""
    match exit_code:
        case ExitCode.DONE:
            match reason:
                case Reason.QR_EXPIRED:
                    return NextStart.LINK_EXPIRED
                case Reason.LOGGED_OUT_FROM_PHONE:
                    return NextStart.LOGGED_OUT
                case Reason.SUPERSEDED:
                    return NextStart.HELD
                case _:
                    return NextStart.AGAIN
        case ExitCode.CONFIGURATION | ExitCode.STORE_REFUSED:
            return NextStart.HELD
        case _:
            return NextStart.BACKOFF


def remember(observed: Observed) -> Last:
    """Return what is to be kept of the worker, now and when it has gone."""
    last = _remember(observed)
    if moved_to(observed) is not None:
        last = _without_ending(last)  # how it ended before its archives came is no reason to wait
    return dataclasses.replace(last, store=_store(observed))


def moved_to(observed: Observed) -> str | None:
    """Return the store to which the session's archives have been copied, None when no pod has just done so."""
    pod = observed.move_pod
    if pod is None or pod.ownership is not Ownership.OURS or pod.deleting:
        return None
    if not pod.did_well:
        return None
    # One that was made for another change of the store moved nothing to where the session is to be.
    return pod.store if observed.store is not None and pod.store == observed.store.name else None


def _store(observed: Observed) -> str | None:
    session, pod = observed.session, observed.pod
    report = fresh_report(session, pod)
    if pod is not None and report is not None and report.state in _HEALTHY and pod.store is not None:
        # Not before: a worker that finds no archive, or another owner, has nothing in its store.
        return pod.store
    remote = session.spec.auth.remote
    present = remote.store if remote is not None and session.last.account_hash is not None else None
    # Of a session that an older operator suspended nothing is known but that it has a login.
    return moved_to(observed) or session.last.store or (present if pod is None else None)


def _remember(observed: Observed) -> Last:
    session, pod = observed.session, observed.pod
    last = _known(session.last, fresh_report(session, pod))
    if pod is None:
        suspended = session.spec.operating_mode is OperatingMode.SUSPENDED
        return _without_ending(last) if suspended else last
    if pod.ownership is Ownership.OURS and is_over(pod) and last.pod_uid != pod.uid:
        return _ended(last, pod)
    report = fresh_report(session, pod)
    if report is not None and report.state in _HEALTHY:
        return _without_ending(last)
    return last


def start_blocked(session: Session, last: Last, wanted_hash: str | None) -> StartBlocked | None:
    """Return why no new worker may start yet, None when one may. A changed template or a newer request lifts it."""
    if last.template_hash != wanted_hash or timestamps.is_newer(requests.newest_start(session), last.started_for):
        return None
    return _standing(last)


def lifted_early(observed: Observed) -> bool:
    """Return whether no worker would start yet, had its user not changed something."""
    last = remember(observed)
    standing = _standing(last)
    if standing is None or standing.pause is None:
        return standing is not None
    return age(observed.ages, What.ENDED, last.pod_uid or "") < standing.pause


def _standing(last: Last) -> StartBlocked | None:
    if last.end_time is None:
        return None
    judged = next_start(last.exit_code, last.end_reason)
    reason = last.end_reason or Reason.CRASH_LOOP
    message = last.end_message or f"the worker ended with code {last.exit_code}; see its log"
    pause = _pause(judged, last) if judged in (NextStart.AGAIN, NextStart.BACKOFF) else None
    return StartBlocked(judged, pause, reason, message)


def _pause(judged: NextStart, last: Last) -> float:
    pauses = REFUSED_BACKOFF if last.exit_code == ExitCode.PAGE_REFUSED else CRASH_BACKOFF
    # A worker that stopped on purpose costs no pause the first time; one that does so again and again is a loop.
    return pauses.after(last.failures - 1 if judged is NextStart.AGAIN else last.failures)


def _known(last: Last, report: Report | None) -> Last:
    if report is None:
        return last
    # Of an account whose login is saved only: by it a worker tells the wrong store from one that never held a login.
    account = report.account_hash if report.account_hash and report.saved else last.account_hash
    match report.state:
        case SessionState.AWAITING_LINK | SessionState.LINK_EXPIRED | SessionState.LOGGED_OUT:
            linked, saved, account = False, False, None
        case SessionState.FROZEN if report.account_hash is None:
            return last  # a browser that waited for a link stands still
        case SessionState.SYNCING:
            linked, saved = True, False
        case SessionState.CONNECTED:
            linked, saved = True, report.saved
        case SessionState.RECONNECTING | SessionState.FROZEN | SessionState.CONFLICT:
            linked, saved = True, report.saved or bool(last.saved)
        case _:
            return dataclasses.replace(last, account_hash=account)
    return dataclasses.replace(last, account_hash=account, linked=linked, saved=saved)


def _without_ending(last: Last) -> Last:
    return Last(account_hash=last.account_hash, linked=last.linked, saved=last.saved)


def _ended(last: Last, pod: Pod) -> Last:
    ending = pod.ending or Ending(1, None, "", out_of_memory=False, started="", finished="")
    taken = evictions.problem(pod)
    reason = _end_reason(ending, taken)
    started, finished = timestamps.seconds(ending.started), timestamps.seconds(ending.finished)
    settled = started is not None and finished is not None and finished - started >= SETTLED_SECONDS
    failures = 1 if settled or last.end_reason != reason else last.failures + 1
    gone = next_start(ending.exit_code, reason) in (NextStart.LINK_EXPIRED, NextStart.LOGGED_OUT)
    return dataclasses.replace(
        last,
        account_hash=None if gone else last.account_hash,
        linked=False if gone else last.linked,
        saved=False if gone else last.saved,
        end_reason=reason,
        end_message=ending.message or _of_the_pod(pod, taken),
        # A pod that the node refused, or evicted before anything ran, has no time of an end: it must cost a pause, too.
        end_time=ending.finished if finished is not None else pod.created or None,
        exit_code=ending.exit_code,
        failures=failures,
        pod_uid=pod.uid,
        template_hash=pod.template_hash,
        started_for=pod.started_for,
        stopped=pod.stopped,
    )


def _of_the_pod(pod: Pod, taken: Problem | None) -> str | None:
    if taken is not None:
        return taken.message
    return f"the pod failed ({pod.failed_reason})" if pod.failed_reason else None


def _end_reason(ending: Ending, taken: Problem | None) -> Reason | None:
    if ending.reason is not None:
        return ending.reason
    if taken is not None:
        return taken.reason
    if ending.out_of_memory:
        return Reason.OUT_OF_MEMORY
    return None if ending.exit_code == ExitCode.DONE else Reason.CRASH_LOOP
