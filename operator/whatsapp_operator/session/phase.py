"""Name the situation that a session is in: one phase, one reason, one sentence."""

from dataclasses import replace
from typing import assert_never

from whatsapp_operator.observed.state import Observed, Ownership, Pod, Problem, Report, Session
from whatsapp_operator.session import failover, last_start, move, purge, refusals, store_task, termination
from whatsapp_operator.session.pod_startup import PhaseStatus, not_running
from whatsapp_operator.session.termination import NextStart, StartBlocked
from whatsapp_session import names
from whatsapp_session.conditions import Phase, Reason, SessionState
from whatsapp_session.session_spec import OperatingMode

_STARTING = frozenset({Reason.POD_STARTING, Reason.RESTORING})
NO_POLICY = Problem(
    Reason.POLICY_MISSING,
    f"the ValidatingAdmissionPolicy {names.POLICY_NAME} or its binding is missing, does not deny or does not apply"
    " here, so a worker's token could write any field of its session's status; install the chart with"
    " clusterScoped.install=true",
)


def classify(observed: Observed, wanted_hash: str | None) -> PhaseStatus:
    """Return the phase of a session; ``wanted_hash`` is that of the desired pod, None while the store is missing."""
    found = _classify(observed, wanted_hash)
    if observed.waits is not None:
        return _waiting(observed, found, observed.waits)
    if found.phase is Phase.FAILED:
        return replace(found, message=found.message + last_start.remedy(observed, found.reason))
    why = last_start.failure(observed) if found.reason in _STARTING else None
    if why is None or why in found.message:
        return found
    return replace(found, message=f"{found.message}; the last start failed: {why}")


def _waiting(observed: Observed, found: PhaseStatus, waits: Problem) -> PhaseStatus:
    """Return what prevents the operator from creating the pod, and what went wrong before."""
    last = observed.session.last
    text = waits.message
    if observed.session.deleting or move.due(observed):
        text = f"{found.message}; {text}"
    elif last.end_time is not None and last.end_message:
        text = f"{text}; the last worker ended: {last.end_message}"
    return PhaseStatus(Phase.PENDING, waits.reason, text)


def _classify(observed: Observed, wanted_hash: str | None) -> PhaseStatus:
    session, pod = observed.session, observed.pod
    suspended = session.spec.operating_mode is OperatingMode.SUSPENDED
    if pod is not None and pod.ownership is Ownership.FOREIGN:
        return PhaseStatus(
            Phase.FAILED,
            Reason.CONFLICT,
            f"a pod {pod.name} exists that is not this session's; delete the pod or rename the session",
        )
    if session.deleting:
        return _deleting(observed)
    if suspended and pod is None:
        return PhaseStatus(
            Phase.SUSPENDED, Reason.SUSPENDED, "suspended; set spec.operatingMode to Running to resume from the archive"
        )
    if suspended:
        return PhaseStatus(
            Phase.PENDING,
            Reason.STOPPING,
            f"the worker saves and stops, because the session is suspended{failover.note(observed)}",
        )
    if pod is None:
        return _without_pod(observed, wanted_hash)
    if pod.ownership is Ownership.OURS and termination.is_over(pod):
        # Also while the pod is being deleted: the user wants to know why it ended.
        return _blocked(session, termination.start_blocked(session, termination.remember(observed), pod.template_hash))
    silent = failover.phase(observed)
    if silent is not None:
        return silent
    if pod.deleting or pod.ownership is Ownership.PREDECESSOR:
        return PhaseStatus(Phase.PENDING, Reason.REPLACING, "the previous worker pod saves and stops")
    if pod.running_since is None:
        return _waits_for_a_secret(observed, pod) or not_running(pod)
    return _running(session, termination.fresh_report(session, pod))


def _without_pod(observed: Observed, wanted_hash: str | None) -> PhaseStatus:
    session = observed.session
    if observed.refusal is not None:
        return _refused(observed.refusal)
    remote = session.spec.auth.remote
    if remote is not None and observed.store is None:
        return PhaseStatus(
            Phase.PENDING,
            Reason.STORE_NOT_FOUND,
            f"the SessionStore {remote.store!r} does not exist in namespace {session.namespace!r};"
            " create it, or name another in spec.auth.remoteAuth.storeRef",
        )
    if observed.barred:
        return PhaseStatus(
            Phase.FAILED, NO_POLICY.reason, f"the operator starts no worker, because {NO_POLICY.message}"
        )
    if observed.store is not None and observed.store.unfenced and observed.store.problem is not None:
        store, problem = observed.store.name, observed.store.problem.message
        message = f"the operator starts no worker with the SessionStore {store!r}: {problem}"
        return PhaseStatus(Phase.FAILED, Reason.STORE_UNFENCED, message)
    if move.due(observed):
        return _moving(observed)
    found = _blocked(session, termination.start_blocked(session, session.last, wanted_hash))
    last = session.last.store
    if found.reason is Reason.ARCHIVE_MISSING and remote is not None and last not in (None, remote.store):
        text = f"it last used the SessionStore {last!r}, which no longer exists; re-create that to copy its archives"
        return PhaseStatus(found.phase, found.reason, f"{found.message}; {text}")
    return found


def _moving(observed: Observed) -> PhaseStatus:
    store, source, pod = observed.store, observed.source, observed.move_pod
    assert store is not None, "a move is due only when both stores are there"
    assert source is not None, "a move is due only when both stores are there"
    between = f"from the SessionStore {source.name!r} to {store.name!r}"
    busy = PhaseStatus(Phase.PENDING, Reason.REPLACING, f"the operator copies the session's archives {between}")
    found = store_task.phase(observed, pod, busy, f"the operator could not copy the archives {between} and tries again")
    if found.reason is busy.reason:
        return found
    ways_out = (
        f"to go back, set spec.auth.remoteAuth.storeRef to {source.name!r};"
        f" to start without the archives, delete the SessionStore {source.name!r}"
    )
    return PhaseStatus(found.phase, found.reason, f"{found.message}; {ways_out}")


def _refused(refusal: Problem) -> PhaseStatus:
    phase = Phase.PENDING if refusals.waits(refusal) else Phase.FAILED
    return PhaseStatus(phase, refusal.reason, refusal.message)


def _deleting(observed: Observed) -> PhaseStatus:
    session, pod = observed.session, observed.purge_pod
    if observed.pod is not None or not purge.held(session) or purge.skipped(session):
        return PhaseStatus(Phase.PENDING, Reason.STOPPING, f"the session is being deleted{failover.note(observed)}")
    if observed.refusal is not None:
        found = _refused(observed.refusal)
    elif move.home(observed) is None:
        remote = session.spec.auth.remote
        name = "" if remote is None else remote.store
        text = f"its archives cannot be deleted, because the SessionStore {name!r} does not exist; re-create it"
        found = PhaseStatus(Phase.PENDING, Reason.STORE_NOT_FOUND, text)
    else:
        busy = PhaseStatus(Phase.PENDING, Reason.STOPPING, "the operator deletes the session and its archives")
        found = store_task.phase(observed, pod, busy, "the operator could not delete its archives and tries again")
    if found.reason is Reason.STOPPING:
        return found
    text = f"the session is being deleted, but {found.message}; {purge.way_out(session)}"
    return PhaseStatus(found.phase, found.reason, text)


def _blocked(session: Session, held: StartBlocked | None) -> PhaseStatus:
    if held is None or held.next_start is NextStart.AGAIN:
        return PhaseStatus(Phase.PENDING, Reason.POD_STARTING, "the operator is about to create the worker pod")
    match held.next_start:
        case NextStart.LINK_EXPIRED:
            return PhaseStatus(
                Phase.LINK_EXPIRED, Reason.QR_EXPIRED, f"no phone linked in time; {_scan(session)} to try again"
            )
        case NextStart.LOGGED_OUT:
            return PhaseStatus(
                Phase.LOGGED_OUT,
                Reason.LOGGED_OUT_FROM_PHONE,
                f"the phone removed this device and no phone linked again in time; {_scan(session)} to link again",
            )
        case NextStart.HELD:
            return PhaseStatus(Phase.FAILED, held.reason, held.message)
        case NextStart.BACKOFF:
            return PhaseStatus(
                Phase.FAILED, held.reason, f"{held.message}; the operator starts the worker again after a pause"
            )
        case _:
            assert_never(held.next_start)


def _waits_for_a_secret(observed: Observed, pod: Pod) -> PhaseStatus | None:
    """Return the problem of a missing Secret: the store check reports that of a store, the worker that of a session."""
    problem = None if observed.store is None else observed.store.problem
    if pod.waiting == "ContainerCreating" and problem is not None and problem.reason is Reason.SECRET_NOT_FOUND:
        return PhaseStatus(Phase.FAILED, Reason.SECRET_NOT_FOUND, problem.message)
    if pod.ending is None or pod.ending.reason is not Reason.SECRET_NOT_FOUND:
        return None
    spec = observed.session.spec
    refs = [ref for ref in (spec.linking.phone_number, spec.browser.proxy) if ref is not None]
    needed = " and ".join(f"the Secret {ref.name!r} with the key {ref.key!r}" for ref in refs)
    text = f"{pod.ending.message}; the session needs {needed}; create it, and the session continues within 5 minutes"
    return PhaseStatus(Phase.FAILED, Reason.SECRET_NOT_FOUND, text)


def _running(session: Session, report: Report | None) -> PhaseStatus:
    if report is None or report.state is None:
        return PhaseStatus(Phase.STARTING, Reason.POD_STARTING, "the worker is starting")
    problem = report.problem
    match report.state:
        case SessionState.CLAIMING:
            text = problem.message if problem else "the worker claims the session"
            return PhaseStatus(Phase.STARTING, Reason.POD_STARTING, text)
        case SessionState.RESTORING:
            text = _or(problem, "the worker restores the latest archive")
            return PhaseStatus(Phase.RESTORING, Reason.RESTORING, text)
        case SessionState.LAUNCHING:
            away = problem is not None and problem.reason in (Reason.RECONNECTING, Reason.PAGE_CONTRACT_BROKEN)
            text = f"WhatsApp Web has not loaded yet: {_or(problem, '')}" if away else "the browser is starting"
            return PhaseStatus(Phase.STARTING, Reason.POD_STARTING, text)
        case SessionState.STOPPING:
            return PhaseStatus(Phase.PENDING, Reason.STOPPING, "the worker saves and stops")
        case SessionState.FAILED:
            reason, text = (
                (problem.reason, problem.message) if problem else (Reason.CRASH_LOOP, "the worker failed; see its log")
            )
            return PhaseStatus(Phase.FAILED, reason, text)
        case SessionState.SUPERSEDED:
            return PhaseStatus(Phase.FAILED, Reason.SUPERSEDED, _or(problem, "another owner took over this session"))
        case _:
            return _linked_or_waiting(session, report, report.state)


def _linked_or_waiting(session: Session, report: Report, state: SessionState) -> PhaseStatus:
    problem = report.problem
    match state:
        case SessionState.AWAITING_LINK:
            word = problem.reason if problem and problem.reason in _UNLINKED else Reason.AWAITING_SCAN
            why = f"{problem.message}; " if problem and problem.reason is word else ""
            return PhaseStatus(
                Phase.AWAITING_LINK, word, f"{why}waiting for a phone; {_scan(session)} and scan the code"
            )
        case SessionState.LINK_EXPIRED:
            return PhaseStatus(
                Phase.LINK_EXPIRED, Reason.QR_EXPIRED, f"no phone linked in time; {_scan(session)} to try again"
            )
        case SessionState.LOGGED_OUT:
            text = f"the phone removed this device; {_scan(session)} to link again"
            return PhaseStatus(Phase.LOGGED_OUT, Reason.LOGGED_OUT_FROM_PHONE, text)
        case SessionState.SYNCING:
            return PhaseStatus(
                Phase.SYNCING, Reason.SYNCING, _with_page("linked; WhatsApp Web is loading messages", problem)
            )
        case SessionState.CONNECTED:
            return PhaseStatus(Phase.CONNECTED, Reason.SOCKET_CONNECTED, _with_page("connected to WhatsApp", problem))
        case SessionState.RECONNECTING:
            text = "the worker reconnects to WhatsApp; no action is needed"
            return PhaseStatus(Phase.RECONNECTING, Reason.RECONNECTING, _or(problem, text))
        case SessionState.FROZEN:
            text = "the worker paused the browser: neither the Lease nor the store answers; it resumes when one does"
            return PhaseStatus(Phase.FROZEN, Reason.FROZEN, _or(problem, text))
        case _:
            text = "this login is open in another browser; close WhatsApp Web there"
            return PhaseStatus(Phase.CONFLICT, Reason.CONFLICT, _or(problem, text))


_UNLINKED = frozenset(
    {Reason.LOGGED_OUT_FROM_PHONE, Reason.ACCOUNT_MISMATCH, Reason.RESTORE_FAILED, Reason.PASSKEY_REQUIRED}
    | {Reason.PAGE_CONTRACT_BROKEN}
)


def _scan(session: Session) -> str:
    return f"run `kubectl whatsapp qr {session.name} -n {session.namespace}`"


def _with_page(text: str, problem: Problem | None) -> str:
    return f"{text}; {problem.message}" if problem and problem.reason is Reason.PAGE_CONTRACT_BROKEN else text


def _or(problem: object, text: str) -> str:
    return getattr(problem, "message", "") or text
