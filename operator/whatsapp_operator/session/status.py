"""Compute the operator's part of a session's status, from a table of phases and conditions."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from whatsapp_operator.observed import requests
from whatsapp_operator.observed.state import Last, Observed, Ownership, Pod, Problem, Wanted
from whatsapp_operator.session import failover, termination
from whatsapp_operator.session.phase import NO_POLICY, classify
from whatsapp_operator.session.pod_startup import PhaseStatus
from whatsapp_session import timestamps
from whatsapp_session.conditions import Condition, ConditionStatus, ConditionType, Phase, Reason, fitting
from whatsapp_session.session_spec import OperatingMode, Strategy
from whatsapp_session.untrusted import mappings, text

Manifest = dict[str, Any]
OWN_FIELDS: Final = ("observedGeneration", "phase", "conditions", "worker", "handledRequests")
"""Fields of the status that the operator writes; the worker writes the others."""


class Cell(Enum):
    """How a condition depends on a phase."""

    TRUE = auto()
    FALSE = auto()
    KNOWN = auto()
    """The last known status, Unknown if there is none."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; if ``healthy`` is False, Ready is False and the condition ``flag`` is True."""

    healthy: bool
    flag: ConditionType | None
    linked: Cell
    connected: Cell
    saved: Cell


_BUSY = Row(False, ConditionType.RECONCILING, Cell.KNOWN, Cell.FALSE, Cell.KNOWN)
_UNLINKED = Row(True, None, Cell.FALSE, Cell.FALSE, Cell.FALSE)
_IMPAIRED = Row(True, None, Cell.TRUE, Cell.FALSE, Cell.KNOWN)

TABLE: Final[Mapping[Phase, Row]] = {
    Phase.PENDING: _BUSY,
    Phase.STARTING: _BUSY,
    Phase.RESTORING: _BUSY,
    Phase.AWAITING_LINK: _UNLINKED,
    Phase.SYNCING: Row(True, None, Cell.TRUE, Cell.FALSE, Cell.FALSE),
    Phase.CONNECTED: Row(True, None, Cell.TRUE, Cell.TRUE, Cell.KNOWN),
    Phase.RECONNECTING: _IMPAIRED,
    Phase.FROZEN: Row(True, None, Cell.KNOWN, Cell.FALSE, Cell.KNOWN),  # the session may have waited for a phone
    Phase.CONFLICT: _IMPAIRED,
    Phase.SUSPENDED: Row(True, None, Cell.KNOWN, Cell.FALSE, Cell.KNOWN),
    Phase.LINK_EXPIRED: _UNLINKED,
    Phase.LOGGED_OUT: _UNLINKED,
    Phase.FAILED: Row(False, ConditionType.STALLED, Cell.KNOWN, Cell.FALSE, Cell.KNOWN),
}

_SAVE_PROBLEMS = frozenset({Reason.SNAPSHOT_FAILED, Reason.STORE_UNAVAILABLE})


def conditions(observed: Observed, wanted_hash: str | None) -> tuple[Phase, tuple[Condition, ...]]:
    """Return the phase and the conditions in a fixed order, without transition times."""
    now = classify(observed, wanted_hash)
    row, last = TABLE[now.phase], termination.remember(observed)
    found = _overall(observed, row, now)
    found.append(_linked(row.linked, last, now))
    connected = row.connected is Cell.TRUE
    word = Reason.SOCKET_CONNECTED if connected else now.reason
    found.append(_condition(ConditionType.CONNECTED, connected, word, now.message))
    strategy = observed.session.spec.auth.strategy
    if strategy is not Strategy.NO_AUTH:
        found.append(_saved(observed, row.saved, last, now))
    if strategy is Strategy.REMOTE_AUTH:
        found.append(_store(observed, now))
    return now.phase, (*found, *_oversized(observed), *_policy(observed))


def judged(observed: Observed, wanted: Wanted | None) -> Observed:
    """Return the observation with a violation of the security standard by the podTemplate as a refusal.

    Not while the worker stops, because other messages matter more, nor for suspended sessions, which get no pod.
    """
    session, pod = observed.session, observed.pod
    stays = pod is None or not (pod.deleting or termination.is_over(pod))
    live = session.spec.operating_mode is OperatingMode.RUNNING and not session.deleting
    if wanted is None or wanted.violation is None or observed.refusal is not None or not (live and stays):
        return observed
    return dataclasses.replace(observed, refusal=wanted.violation)


def is_healthy(observed: Observed) -> bool:
    """Return whether the present worker is healthy, regardless of its template."""
    return TABLE[classify(observed, None).phase].healthy


def _overall(observed: Observed, row: Row, now: PhaseStatus) -> list[Condition]:
    """Return Ready and the condition that explains why not; a rejected change stalls a running session."""
    refusal = observed.refusal
    if refusal is not None and (observed.pod is not None or refusal.reason is not now.reason):
        text = refusal.message if observed.pod is None else f"{refusal.message} (the running worker is not affected)"
        return [
            _condition(ConditionType.READY, False, refusal.reason, text),
            _condition(ConditionType.STALLED, True, refusal.reason, text),
        ]
    ready = Reason.WORKER_HEALTHY if row.healthy else now.reason
    found = [_condition(ConditionType.READY, row.healthy, ready, now.message)]
    if row.flag is not None:
        found.append(_condition(row.flag, True, now.reason, now.message))
    return found


def _condition(kind: ConditionType, true: bool | None, reason: Reason, message: str) -> Condition:
    status = {True: ConditionStatus.TRUE, False: ConditionStatus.FALSE, None: ConditionStatus.UNKNOWN}[true]
    return Condition(kind, status, reason, message)


def _linked(cell: Cell, last: Last, now: PhaseStatus) -> Condition:
    value = {Cell.TRUE: True, Cell.FALSE: False, Cell.KNOWN: last.linked}[cell]
    match value:
        case True:
            return _condition(ConditionType.LINKED, True, Reason.DEVICE_LINKED, "a phone is linked to this session")
        case False:
            word = now.reason if cell is Cell.FALSE else Reason.AWAITING_SCAN
            text = now.message if cell is Cell.FALSE else "no phone is linked to this session"
            return _condition(ConditionType.LINKED, False, word, text)
        case None:
            return _condition(ConditionType.LINKED, None, now.reason, "not known until a worker has checked")


def _saved(observed: Observed, cell: Cell, last: Last, now: PhaseStatus) -> Condition:
    kind = ConditionType.SAVED
    local = observed.session.spec.auth.strategy is Strategy.LOCAL_AUTH
    report = termination.fresh_report(observed.session, observed.pod)
    if cell is Cell.FALSE:
        if now.phase is Phase.SYNCING:
            return _condition(
                kind,
                False,
                Reason.FIRST_SAVE_PENDING,
                "the worker saves the new link when WhatsApp Web has loaded its messages",
            )
        return _condition(kind, False, now.reason, "there is no login to save")
    if failover.silent(observed):
        text = "not known, because the worker's Lease has expired: the login may have changed since the last save"
        return _condition(kind, None, Reason.LEASE_EXPIRED, text)
    if report is not None and report.overdue:
        problem = report.problem
        word = problem.reason if problem and problem.reason in _SAVE_PROBLEMS else Reason.BACKUP_OVERDUE
        return _condition(kind, False, word, problem.message if problem else "a save is overdue; see the worker's log")
    match last.saved:
        case True if local:
            return _condition(kind, True, Reason.PROFILE_ON_CLAIM, "the profile is on its PVC")
        case True:
            return _condition(kind, True, Reason.ARCHIVE_VERIFIED, "a verified archive of the login is in the store")
        case False:
            return _condition(kind, False, Reason.FIRST_SAVE_PENDING, "the login is not in the store yet")
        case None:
            return _condition(kind, None, now.reason, "not known until a worker has checked")


def _store(observed: Observed, now: PhaseStatus) -> Condition:
    kind = ConditionType.STORE_AVAILABLE
    if observed.store is None:
        remote = observed.session.spec.auth.remote
        name = "" if remote is None else remote.store
        return _condition(kind, False, Reason.STORE_NOT_FOUND, f"the SessionStore {name!r} does not exist; create it")
    heard, problem = worker_says(observed, now.phase)
    if heard and problem is None:
        return _condition(kind, True, Reason.STORE_ANSWERED, "the store answered the worker")
    problem = problem or observed.store.problem
    if problem is not None:
        return _condition(kind, False, problem.reason, problem.message)
    return _condition(kind, None, now.reason, "not known until a worker has used the store")


def worker_says(observed: Observed, phase: Phase) -> tuple[bool, Problem | None]:
    """Return whether the worker reports about its store, and the problem that it reports."""
    report = termination.fresh_report(observed.session, observed.pod)
    if report is None:
        return False, None
    if report.problem is not None and report.problem.reason is Reason.STORE_UNAVAILABLE:
        return True, report.problem
    return phase not in (Phase.PENDING, Phase.STARTING, Phase.RESTORING, Phase.FAILED), None


def _oversized(observed: Observed) -> list[Condition]:
    """Return Oversized while a limit of ``spec.warnings`` is exceeded."""
    report = termination.fresh_report(observed.session, observed.pod)
    warnings = () if report is None else report.warnings
    text = "; ".join(warning.message for warning in warnings)
    return [_condition(ConditionType.OVERSIZED, True, warnings[0].reason, text)] if warnings else []


def _policy(observed: Observed) -> list[Condition]:
    """Return PolicyMissing while the admission policy is not in force."""
    if observed.policy or observed.session.deleting:
        return []
    return [_condition(ConditionType.POLICY_MISSING, True, NO_POLICY.reason, NO_POLICY.message)]


def own_status(observed: Observed, wanted_hash: str | None, now: str) -> Manifest:
    """Return the operator's part of the status, complete; ``now`` is RFC 3339 for new transition times."""
    session = observed.session
    phase, wanted = conditions(observed, wanted_hash)
    before = {text(item.get("type")): item for item in mappings(session.status.get("conditions"))}
    body: Manifest = {
        "observedGeneration": session.generation,
        "phase": str(phase),
        "conditions": [written(item, before.get(item.type), session.generation, now) for item in wanted],
    }
    parts = {
        "worker": _worker(observed),
        "handledRequests": requests.handled(session, _own_pod(observed), timestamps.parse(now).timestamp()),
    }
    return body | {name: part for name, part in parts.items() if part}


def _own_pod(observed: Observed) -> Pod | None:
    return observed.pod if observed.pod is not None and observed.pod.ownership is Ownership.OURS else None


def written(item: Condition, before: Mapping[str, Any] | None, generation: int, now: str) -> Manifest:
    """Return a condition as written into the status; ``before`` is the stored one of its type."""
    same = before is not None and before.get("status") == item.status
    since = before.get("lastTransitionTime") if same and before is not None else None
    return {
        "type": str(item.type),
        "status": str(item.status),
        "observedGeneration": generation,
        "lastTransitionTime": now if timestamps.seconds(since) is None else since,
        "reason": str(item.reason),
        "message": fitting(item.message),
    }


def _worker(observed: Observed) -> Manifest:
    pod: Pod | None = _own_pod(observed)
    worker: Manifest = {}
    if pod is not None:
        worker = {
            "pod": pod.name,
            "podUID": pod.uid,
            "node": pod.node,
            "restarts": pod.restarts,
            "image": pod.image,
            "templateHash": pod.template_hash,
        }
    last = termination.remember(observed)
    kept = {
        "accountHash": last.account_hash,
        "linked": last.linked,
        "saved": last.saved,
        "endReason": last.end_reason,
        "endMessage": None if last.end_message is None else fitting(last.end_message),
        "endTime": last.end_time,
        "exitCode": last.exit_code,
        "failures": last.failures or None,
        "podUID": last.pod_uid,
        "templateHash": last.template_hash,
        "startedFor": last.started_for,
        "stopped": last.stopped or None,
        "store": last.store,
    }
    kept = {name: value for name, value in kept.items() if value is not None}
    worker = {name: value for name, value in worker.items() if value is not None}
    return worker | ({"last": kept} if kept else {})


def differs(session_status: Mapping[str, Any], own: Manifest) -> bool:
    """Return whether the operator's part of the status has changed."""
    return any(session_status.get(name) != own.get(name) for name in OWN_FIELDS)


def report_is_stale(observed: Observed) -> bool:
    """Return whether a process that no longer runs wrote ``status.session``, so that it must be cleared."""
    return termination.left_behind(observed.session, observed.pod)
