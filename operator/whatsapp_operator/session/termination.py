"""Judge how a worker ended: what the status remembers of it, and when the next one may start."""

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
"""Delays after a failed pod; the kubelet restarts a failed container itself."""
REFUSED_BACKOFF: Final = Backoff(60.0, 3600.0)
"""Delays after WhatsApp Web refused the session: frequent attempts can prolong a ban."""
SETTLED_SECONDS: Final = 600
"""Seconds after which a worker counts as well started: its end starts a new count of failures."""

_FOR_GOOD = frozenset({ExitCode.DONE, ExitCode.CONFIGURATION, ExitCode.STORE_REFUSED, ExitCode.PAGE_REFUSED})
_HEALTHY = frozenset(
    {SessionState.AWAITING_LINK, SessionState.SYNCING, SessionState.CONNECTED, SessionState.RECONNECTING}
)


class NextStart(Enum):
    """When a session gets its next worker after one has ended."""

    AGAIN = auto()
    """At once: there is no problem."""
    BACKOFF = auto()
    """After a delay."""
    HELD = auto()
    """Not before the template changes or a user requests a restart; the session is Failed."""
    LINK_EXPIRED = auto()
    LOGGED_OUT = auto()


@dataclass(frozen=True, slots=True)
class StartBlocked:
    """Why no worker starts now.

    ``pause`` is in seconds from when the operator saw the end; None means until something changes.
    """

    next_start: NextStart
    pause: float | None
    reason: Reason
    message: str


def is_over(pod: Pod) -> bool:
    """Return whether the worker in this pod has ended for good, so that the pod must be deleted.

    The container decides, because a sidecar may keep the pod running.
    """
    if pod.phase in ("Succeeded", "Failed"):
        return True
    return pod.running_since is None and pod.ending is not None and pod.ending.exit_code in _FOR_GOOD


def fresh_report(session: Session, pod: Pod | None) -> Report | None:
    """Return the report if the running process wrote it, not another pod or a container before its restart."""
    report = session.report
    if report is None or pod is None or report.pod_uid != pod.uid or pod.ownership is not Ownership.OURS:
        return None
    since, started = timestamps.seconds(report.state_since), timestamps.seconds(pod.running_since)
    if pod.running_since is None or since is None:
        return None
    if pod.restarts == 0 and pod.ending is None:
        return report  # the pod has had no other process
    if report.restart_count is not None and report.restart_count >= pod.restarts:
        return report  # whatever the clock of the node was set to since the container started
    # Both times are from the clock of the node; the start of the container has whole seconds.
    return report if started is None or since >= int(started) else None


def left_behind(session: Session, pod: Pod | None) -> bool:
    """Return whether a process that no longer runs wrote the report.

    A report of a process that the kubelet does not yet report as running is neither left behind nor fresh.
    """
    report = session.report
    if report is None or fresh_report(session, pod) is not None:
        return False
    if pod is None or report.pod_uid != pod.uid or pod.ownership is not Ownership.OURS or pod.running_since is not None:
        return True
    if pod.ending is None:
        return False
    if report.restart_count is not None:
        return report.restart_count <= pod.restarts
    since = timestamps.seconds(report.state_since)
    return since is None or since <= (timestamps.seconds(pod.ending.finished) or 0.0)


def next_start(exit_code: int | None, reason: str | None) -> NextStart:
    """Decide by exit code and reason of the worker."""
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
    """Return the facts about the worker that the status keeps."""
    last = _remember(observed)
    if moved_to(observed) is not None:
        last = _without_ending(last)  # its end before the move does not delay the next worker
    return dataclasses.replace(last, store=_store(observed))


def moved_to(observed: Observed) -> str | None:
    """Return the store to which a move pod has just copied the archives, else None."""
    pod = observed.move_pod
    if pod is None or pod.ownership is not Ownership.OURS or pod.deleting:
        return None
    if not pod.did_well:
        return None
    # A move pod for another target did not copy to the present store.
    return pod.store if observed.store is not None and pod.store == observed.store.name else None


def _store(observed: Observed) -> str | None:
    session, pod = observed.session, observed.pod
    report = fresh_report(session, pod)
    if pod is not None and report is not None and report.state in _HEALTHY and pod.store is not None:
        # Not earlier: a worker that finds no archive, or another owner, has nothing in its store.
        return pod.store
    remote = session.spec.auth.remote
    present = remote.store if remote is not None and session.last.account_hash is not None else None
    # For a session that an older operator suspended, only the hash of its account is known.
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
    """Return why no worker may start yet, None if one may. A changed template or a newer request lifts the block."""
    if last.template_hash != wanted_hash or timestamps.is_newer(requests.newest_start(session), last.started_for):
        return None
    return _standing(last)


def lifted_early(observed: Observed) -> bool:
    """Return whether only a change by the user lets a worker start now."""
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
    # The first planned end causes no delay; repeated ones are a loop.
    return pauses.after(last.failures - 1 if judged is NextStart.AGAIN else last.failures)


def _known(last: Last, report: Report | None) -> Last:
    if report is None:
        return last
    # Only an account with a saved login: its hash tells a worker that a store without archives is the wrong one.
    account = report.account_hash if report.account_hash and report.saved else last.account_hash
    match report.state:
        case SessionState.AWAITING_LINK | SessionState.LINK_EXPIRED | SessionState.LOGGED_OUT:
            linked, saved, account = False, False, None
        case SessionState.FROZEN if report.account_hash is None:
            return last  # a browser that waited for a link is paused
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
        # A pod that was rejected or evicted before it ran has no end time, but must cause a delay too.
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
