"""Name the situation that a session is in: one phase, one reason, one sentence."""

from dataclasses import dataclass
from typing import assert_never

from whatsapp_operator import evictions
from whatsapp_operator.observed.state import Observed, Ownership, Pod, Report, Session, Trouble
from whatsapp_operator.session import move, purge, refusals, termination
from whatsapp_operator.session.termination import Fate, Hold
from whatsapp_session import names
from whatsapp_session.conditions import Phase, Reason, SessionState
from whatsapp_session.session_spec import OperatingMode

_IMAGE_TROUBLE = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
_CONFIG_TROUBLE = frozenset({"CreateContainerConfigError", "CreateContainerError"})

NO_POLICY = Trouble(
    Reason.POLICY_MISSING,
    f"the ValidatingAdmissionPolicy {names.POLICY_NAME} or its binding is missing, does not deny or does not apply"
    " here, so that a worker's token could write any field of its own session's status; install the chart with"
    " clusterScoped.install=true",
)


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a session is; ``reason`` is for the conditions that are not True, ``message`` for people."""

    phase: Phase
    reason: Reason
    message: str


def situation(observed: Observed, wanted_hash: str | None) -> Situation:
    """Judge the whole; ``wanted_hash`` is the wanted pod's, None while it cannot be known (no store)."""
    session, pod = observed.session, observed.pod
    suspended = session.spec.operating_mode is OperatingMode.SUSPENDED
    if pod is not None and pod.ownership is Ownership.FOREIGN:
        return Situation(
            Phase.FAILED,
            Reason.CONFLICT,
            f"the pod {pod.name} exists and is not this session's; delete it or give the session another name",
        )
    if session.deleting:
        return _deleting(observed)
    if suspended and pod is None:
        return Situation(
            Phase.SUSPENDED, Reason.SUSPENDED, "suspended; set spec.operatingMode to Running to resume from the archive"
        )
    if suspended:
        return Situation(Phase.PENDING, Reason.STOPPING, "the worker saves and stops, because the session is suspended")
    if pod is None:
        return _without_pod(observed, wanted_hash)
    if pod.ownership is Ownership.OURS and termination.is_over(pod):
        # Also while the pod goes: why it ended is what a person wants to know.
        return _held(session, termination.hold(session, termination.remember(observed), pod.template_hash))
    if pod.deleting or pod.ownership is Ownership.PREDECESSOR:
        return Situation(Phase.PENDING, Reason.REPLACING, "the previous worker pod saves and stops")
    if pod.running_since is None:
        return _waits_for_a_secret(observed, pod) or _not_running(pod)
    return _running(session, termination.fresh_report(session, pod))


def _without_pod(observed: Observed, wanted_hash: str | None) -> Situation:
    session = observed.session
    if observed.refusal is not None:
        return _refused(observed.refusal)
    remote = session.spec.auth.remote
    if remote is not None and observed.store is None:
        return Situation(
            Phase.PENDING,
            Reason.STORE_NOT_FOUND,
            f"the SessionStore {remote.store!r} does not exist in namespace {session.namespace!r};"
            " create it, or name another in spec.auth.remoteAuth.storeRef",
        )
    if observed.barred:
        return Situation(Phase.FAILED, NO_POLICY.reason, f"no worker is started, because {NO_POLICY.message}")
    if observed.store is not None and observed.store.unfenced and observed.store.trouble is not None:
        message = f"no worker is started on the SessionStore {observed.store.name!r}: {observed.store.trouble.message}"
        return Situation(Phase.FAILED, Reason.STORE_UNFENCED, message)
    if move.due(observed):
        return _moving(observed)
    found = _held(session, termination.hold(session, session.last, wanted_hash))
    last = session.last.store
    if found.reason is Reason.ARCHIVE_MISSING and remote is not None and last not in (None, remote.store):
        text = f"the session last ran on the SessionStore {last!r}, which is gone; with it back its archives are copied"
        return Situation(found.phase, found.reason, f"{found.message}; {text}")
    return found


def _moving(observed: Observed) -> Situation:
    store, source, pod = observed.store, observed.source, observed.move_pod
    assert store is not None, "a move is due only when both stores are there"
    assert source is not None, "a move is due only when both stores are there"
    between = f"from the SessionStore {source.name!r} to {store.name!r}"
    busy = Situation(Phase.PENDING, Reason.REPLACING, f"the session's archives are being copied {between}")
    found = _task(pod, busy, f"its archives could not be copied {between}, which is tried again")
    if found.reason is busy.reason:
        return found
    ways_out = (
        f"to go back, set spec.auth.remoteAuth.storeRef to {source.name!r};"
        f" to leave them behind, delete the SessionStore {source.name!r}"
    )
    return Situation(found.phase, found.reason, f"{found.message}; {ways_out}")


def _refused(refusal: Trouble) -> Situation:
    phase = Phase.PENDING if refusals.waits(refusal) else Phase.FAILED
    return Situation(phase, refusal.reason, refusal.message)


def _deleting(observed: Observed) -> Situation:
    session, pod = observed.session, observed.purge_pod
    if observed.pod is not None or not purge.held(session) or purge.skipped(session):
        return Situation(Phase.PENDING, Reason.STOPPING, "the session is being deleted")
    if observed.refusal is not None:
        found = _refused(observed.refusal)
    elif move.home(observed) is None:
        remote = session.spec.auth.remote
        name = "" if remote is None else remote.store
        text = f"its archives cannot be deleted, because the SessionStore {name!r} does not exist; create it again"
        found = Situation(Phase.PENDING, Reason.STORE_NOT_FOUND, text)
    else:
        busy = Situation(Phase.PENDING, Reason.STOPPING, "the session is being deleted, and its archives with it")
        found = _task(pod, busy, "its archives could not be deleted, which is tried again")
    if found.reason is Reason.STOPPING:
        return found
    text = f"the session is deleted, but {found.message}; {purge.way_out(session)}"
    return Situation(found.phase, found.reason, text)


def _task(pod: Pod | None, busy: Situation, failed: str) -> Situation:
    """Judge a pod that does one thing to a store."""
    if pod is not None and pod.ownership is Ownership.FOREIGN:
        return Situation(Phase.FAILED, Reason.CONFLICT, f"the pod {pod.name} is not the operator's; delete it")
    if pod is None or pod.deleting or pod.did_well:
        return busy
    taken = evictions.trouble(pod)
    if taken is not None:
        return Situation(Phase.FAILED, taken.reason, f"{failed}: {taken.message}")
    if pod.ending is not None and pod.ending.exit_code != 0:
        # Also while the next attempt runs: a condition that comes and goes with each attempt would say less.
        text = pod.ending.message or f"the pod {pod.name} ends with code {pod.ending.exit_code}; its log says why"
        reason = pod.ending.reason or Reason.CRASH_LOOP
        return Situation(Phase.FAILED, reason, f"{failed}: {text}")
    if pod.phase == "Failed":
        why = pod.failed_reason or "no reason given"
        return Situation(Phase.FAILED, Reason.CRASH_LOOP, f"the pod {pod.name} failed ({why}) and is made anew")
    found = busy if pod.running_since is not None else _not_running(pod)
    if found.phase is not Phase.STARTING:
        return found
    waits = pod.waiting == "ContainerCreating" and pod.needs
    needs = f"; the pod {pod.name} needs {' and '.join(pod.needs)}" if waits else ""
    return Situation(busy.phase, busy.reason, f"{busy.message}{needs}")


def _held(session: Session, held: Hold | None) -> Situation:
    if held is None or held.fate is Fate.AGAIN:
        return Situation(Phase.PENDING, Reason.POD_STARTING, "the worker pod is about to be made")
    match held.fate:
        case Fate.LINK_EXPIRED:
            return Situation(
                Phase.LINK_EXPIRED, Reason.QR_EXPIRED, f"no phone linked in time; {_scan(session)} to try again"
            )
        case Fate.LOGGED_OUT:
            return Situation(
                Phase.LOGGED_OUT,
                Reason.LOGGED_OUT_FROM_PHONE,
                f"the phone removed this device and no new link was made in time; {_scan(session)} to link again",
            )
        case Fate.HELD:
            return Situation(Phase.FAILED, held.reason, held.message)
        case Fate.BACKOFF:
            return Situation(Phase.FAILED, held.reason, f"{held.message}; the worker is started again after a pause")
        case _:
            assert_never(held.fate)


def _waits_for_a_secret(observed: Observed, pod: Pod) -> Situation | None:
    """Name a missing Secret where it is known: the store's by its check, the session's by the worker itself."""
    trouble = None if observed.store is None else observed.store.trouble
    if pod.waiting == "ContainerCreating" and trouble is not None and trouble.reason is Reason.SECRET_NOT_FOUND:
        return Situation(Phase.FAILED, Reason.SECRET_NOT_FOUND, trouble.message)
    if pod.ending is None or pod.ending.reason is not Reason.SECRET_NOT_FOUND:
        return None
    spec = observed.session.spec
    refs = [ref for ref in (spec.linking.phone_number, spec.browser.proxy) if ref is not None]
    needed = " and ".join(f"the Secret {ref.name!r} with the key {ref.key!r}" for ref in refs)
    text = f"{pod.ending.message}; the session needs {needed}, and goes on by itself within 5 minutes of its creation"
    return Situation(Phase.FAILED, Reason.SECRET_NOT_FOUND, text)


def _not_running(pod: Pod) -> Situation:
    if pod.unschedulable is not None and pod.node is None:
        return Situation(Phase.PENDING, Reason.UNSCHEDULABLE, f"the pod {pod.name} fits no node: {pod.unschedulable}")
    if pod.waiting in _IMAGE_TROUBLE:
        return Situation(
            Phase.FAILED, Reason.IMAGE_PULL_FAILED, f"the image {pod.image} cannot be pulled: {pod.waiting_message}"
        )
    if pod.waiting in _CONFIG_TROUBLE:
        return Situation(Phase.FAILED, Reason.SECRET_NOT_FOUND, f"the container cannot start: {pod.waiting_message}")
    if pod.waiting == "CrashLoopBackOff" and pod.ending is not None:
        if pod.ending.out_of_memory:
            return Situation(
                Phase.FAILED,
                Reason.OUT_OF_MEMORY,
                "the worker used more memory than its limit; raise the worker container's memory in spec.podTemplate",
            )
        return Situation(
            Phase.FAILED,
            pod.ending.reason or Reason.CRASH_LOOP,
            pod.ending.message or f"the worker ends again and again (code {pod.ending.exit_code}); its log says why",
        )
    needs = f"; it needs {' and '.join(pod.needs)}" if pod.waiting == "ContainerCreating" and pod.needs else ""
    return Situation(Phase.STARTING, Reason.POD_STARTING, f"the worker pod is starting{needs}")


def _running(session: Session, report: Report | None) -> Situation:
    if report is None or report.state is None:
        return Situation(Phase.STARTING, Reason.POD_STARTING, "the worker is starting")
    trouble = report.trouble
    match report.state:
        case SessionState.CLAIMING:
            text = trouble.message if trouble else "the worker claims the session"
            return Situation(Phase.STARTING, Reason.POD_STARTING, text)
        case SessionState.RESTORING:
            text = _or(trouble, "the worker restores the newest archive")
            return Situation(Phase.RESTORING, Reason.RESTORING, text)
        case SessionState.LAUNCHING:
            away = trouble is not None and trouble.reason is Reason.RECONNECTING
            text = f"the page is not there yet: {_or(trouble, '')}" if away else "the browser is starting"
            return Situation(Phase.STARTING, Reason.POD_STARTING, text)
        case SessionState.STOPPING:
            return Situation(Phase.PENDING, Reason.STOPPING, "the worker saves and stops")
        case SessionState.FAILED:
            reason, text = (trouble.reason, trouble.message) if trouble else (Reason.CRASH_LOOP, "the worker failed")
            return Situation(Phase.FAILED, reason, text)
        case SessionState.SUPERSEDED:
            return Situation(Phase.FAILED, Reason.SUPERSEDED, _or(trouble, "another owner has taken this session over"))
        case _:
            return _linked_or_waiting(session, report, report.state)


def _linked_or_waiting(session: Session, report: Report, state: SessionState) -> Situation:
    trouble = report.trouble
    match state:
        case SessionState.AWAITING_LINK:
            word = trouble.reason if trouble and trouble.reason in _UNLINKED else Reason.AWAITING_SCAN
            why = f"{_or(trouble, '')}; " if word is not Reason.AWAITING_SCAN else ""
            return Situation(Phase.AWAITING_LINK, word, f"{why}waiting for a phone; {_scan(session)} and scan the code")
        case SessionState.LINK_EXPIRED:
            return Situation(Phase.LINK_EXPIRED, Reason.QR_EXPIRED, f"no phone linked in time; {_scan(session)}")
        case SessionState.LOGGED_OUT:
            text = f"the phone removed this device; {_scan(session)} to link again"
            return Situation(Phase.LOGGED_OUT, Reason.LOGGED_OUT_FROM_PHONE, text)
        case SessionState.SYNCING:
            return Situation(Phase.SYNCING, Reason.SYNCING, "linked; WhatsApp Web loads its messages")
        case SessionState.CONNECTED:
            return Situation(Phase.CONNECTED, Reason.SOCKET_CONNECTED, "connected to WhatsApp")
        case SessionState.RECONNECTING:
            text = "the connection to WhatsApp is being restored; nothing is to be done"
            return Situation(Phase.RECONNECTING, Reason.RECONNECTING, _or(trouble, text))
        case SessionState.FROZEN:
            text = "the browser is frozen, because neither the Lease nor the store answers"
            return Situation(Phase.FROZEN, Reason.FROZEN, _or(trouble, text))
        case _:
            text = "WhatsApp Web is open in another place with this login"
            return Situation(Phase.CONFLICT, Reason.CONFLICT, _or(trouble, text))


_UNLINKED = frozenset(
    {Reason.LOGGED_OUT_FROM_PHONE, Reason.ACCOUNT_MISMATCH, Reason.RESTORE_FAILED, Reason.PASSKEY_REQUIRED}
)


def _scan(session: Session) -> str:
    return f"run `kubectl whatsapp qr {session.name} -n {session.namespace}`"


def _or(trouble: object, text: str) -> str:
    return getattr(trouble, "message", "") or text
