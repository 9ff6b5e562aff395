"""Compute the status of a store: spec and observation in, conditions out."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from whatsapp_operator.manifests import rbac, store_access
from whatsapp_operator.observed.state import Ownership, Problem
from whatsapp_operator.session import status
from whatsapp_operator.session.events import EventRecord
from whatsapp_operator.store import plan
from whatsapp_operator.store.observed import Check, ObservedStore, Verdict
from whatsapp_session import names, store_spec
from whatsapp_session.conditions import Condition, ConditionStatus, ConditionType, Reason, fitting
from whatsapp_session.untrusted import mappings

Manifest = dict[str, Any]
OWN_FIELDS: Final = ("observedGeneration", "backend", "location", "check", "conditions")
_DISPROVED_BY_WORKERS: Final = frozenset(
    {
        Reason.STORE_UNAVAILABLE,
        Reason.EVICTED,
        Reason.UNSCHEDULABLE,
        Reason.IMAGE_PULL_FAILED,
        Reason.QUOTA_EXCEEDED,
        Reason.INVALID_POD_TEMPLATE,
        Reason.REFUSED,
    }
)
"""Reasons of failed checks that do not count while workers use the store."""


def judged(observed: ObservedStore, wanted_hash: str, now: str) -> ObservedStore:
    """Return the observation with the result of a check that has ended, or cannot end, as its last check."""
    pod, check = observed.pod, observed.check
    if pod is None or pod.ownership is not Ownership.OURS or pod.template_hash != wanted_hash:
        return observed
    if check is not None and check.pod_uid == pod.uid:
        return observed
    verdict = pod.verdict
    if verdict is None and plan.is_stuck(pod, observed.ages):
        text = "the store did not answer the check in time" if pod.runs else pod.slow
        problem = pod.problem or Problem(Reason.STORE_UNAVAILABLE, text)
        verdict = Verdict(False, problem.reason, problem.message)
    if verdict is None:
        return observed
    return dataclasses.replace(observed, check=_next(observed, verdict, wanted_hash, now, pod.uid))


def refused(observed: ObservedStore, problem: Problem, wanted_hash: str, now: str) -> ObservedStore:
    """Return the observation with a check that could not start as a failed one."""
    verdict = Verdict(False, problem.reason, problem.message)
    return dataclasses.replace(observed, check=_next(observed, verdict, wanted_hash, now, None))


def _next(observed: ObservedStore, verdict: Verdict, wanted_hash: str, now: str, pod_uid: str | None) -> Check:
    before = observed.check
    repeated = before is not None and before.template_hash == wanted_hash and not before.verdict.ok
    failures = 0 if verdict.ok else 1 + (before.failures if before is not None and repeated else 0)
    return Check(verdict, now, observed.store.generation, wanted_hash, pod_uid, failures)


def conditions(observed: ObservedStore) -> tuple[Condition, ...]:
    """Return the conditions in a fixed order, without transition times."""
    return *_availability(observed), *_shared_account(observed)


def _shared_account(observed: ObservedStore) -> tuple[Condition, ...]:
    """Return SharedAccount while workers share the account and ``shared`` is unset."""
    store = observed.store
    if store.shared_account is not None or not rbac.shared(store):
        return ()
    account = names.service_account(store.name)
    subject = f"system:serviceaccount:{store.namespace}:{names.SESSION_ACCOUNT_PREFIX}*"
    text = (
        f"the workers of this store share the service account {account}, so each of them can read the QR codes of the"
        f" others. Let the cloud's trust policy accept the subject {subject} too, then set"
        " spec.serviceAccount.shared to false; or set it to true where the cloud cannot (EKS Pod Identity, Azure)"
    )
    return (Condition(ConditionType.SHARED_ACCOUNT, ConditionStatus.TRUE, Reason.SHARED_ACCOUNT, text),)


def _availability(observed: ObservedStore) -> tuple[Condition, ...]:
    verdict = _finding(observed)
    if verdict is None:
        problem = None if observed.pod is None else observed.pod.problem
        if problem is None and observed.pod is not None and plan.is_slow(observed.pod, observed.ages):
            problem = Problem(Reason.POD_STARTING, f"the operator is checking the store, but {observed.pod.slow}")
        reason = Reason.POD_STARTING if problem is None else problem.reason
        text = "the operator is checking the store" if problem is None else problem.message
        return (
            Condition(ConditionType.READY, ConditionStatus.FALSE, reason, text),
            Condition(ConditionType.RECONCILING, ConditionStatus.TRUE, reason, text),
            Condition(ConditionType.STORE_AVAILABLE, ConditionStatus.UNKNOWN, reason, text),
        )
    status = ConditionStatus.TRUE if verdict.ok else ConditionStatus.FALSE
    message = verdict.message + (_of_the_claim(observed) if verdict.ok else "")
    ready = Condition(ConditionType.READY, status, verdict.reason, message)
    available = Condition(ConditionType.STORE_AVAILABLE, status, verdict.reason, message)
    if verdict.ok:
        return ready, available
    return ready, Condition(ConditionType.STALLED, ConditionStatus.TRUE, verdict.reason, message), available


def _finding(observed: ObservedStore) -> Verdict | None:
    """Return the result that applies to the present spec, None if there is none."""
    pod, check = observed.pod, observed.check
    if pod is not None and pod.ownership is Ownership.FOREIGN:
        name = names.check_pod(observed.store.name)
        return Verdict(
            False, Reason.CONFLICT, f"a pod {name} exists that is not this store's; delete it or rename the store"
        )
    if observed.obstacle is not None:
        return Verdict(False, observed.obstacle.reason, observed.obstacle.message)
    problem = next((report for report in observed.reports if report.problem is not None), None)
    if problem is not None and problem.problem is not None:
        text = f"the worker of the session {problem.session!r} reports: {problem.problem.message}"
        return Verdict(False, problem.problem.reason, text)
    if check is None or check.generation != observed.store.generation:
        return None
    if not check.verdict.ok and observed.answers and check.verdict.reason in _DISPROVED_BY_WORKERS:
        return Verdict(True, Reason.STORE_ANSWERED, "the store answers its workers")
    return check.verdict


def _of_the_claim(observed: ObservedStore) -> str:
    claim, modes = store_spec.pvc_name(observed.store.spec.backend), observed.access_modes
    if claim is None or not modes or "ReadWriteMany" in modes:
        return ""
    return (
        f"; the PVC {claim!r} is {' and '.join(modes)}: to run its sessions on several nodes, use a ReadWriteMany PVC"
    )


def own_status(observed: ObservedStore, now: str) -> Manifest:
    """Return the status, complete; ``now`` is RFC 3339 for new transition times."""
    store = observed.store
    before = {str(item.get("type")): item for item in mappings(store.status.get("conditions"))}
    parts: Manifest = {
        "observedGeneration": store.generation,
        "backend": store_access.kind(store.spec.backend),
        "location": store_access.location(store.spec.backend),
        "check": None if observed.check is None else _written_check(observed.check),
        "conditions": [
            status.written(item, before.get(item.type), store.generation, now) for item in conditions(observed)
        ],
    }
    return {name: part for name, part in parts.items() if part}


def _written_check(check: Check) -> Manifest:
    parts = {
        "ok": check.verdict.ok,
        "reason": str(check.verdict.reason),
        "message": fitting(check.verdict.message),
        "time": check.time,
        "generation": check.generation,
        "templateHash": check.template_hash,
        "podUID": check.pod_uid,
        "failures": check.failures or None,
    }
    return {name: part for name, part in parts.items() if part is not None}


def differs(status: Mapping[str, Any], own: Manifest) -> bool:
    """Return whether the operator's part of the status has changed."""
    return any(status.get(name) != own.get(name) for name in OWN_FIELDS)


def events_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[EventRecord]:
    """Yield the Event when a store becomes unavailable, or available again."""
    was, new = (_available(part) for part in (before, after))
    if new is None or new["status"] == ConditionStatus.UNKNOWN:
        return
    failed = new["status"] == ConditionStatus.FALSE
    if was is None or was.get("status") == ConditionStatus.UNKNOWN:
        if failed:
            yield EventRecord(new["reason"], new["message"], True, new["lastTransitionTime"])
    elif (was.get("status"), was.get("reason")) != (new["status"], new["reason"]):
        yield EventRecord(new["reason"], new["message"], failed, f"{was.get('lastTransitionTime')}{was.get('reason')}")


def _available(part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = mappings(part.get("conditions"))
    return next((item for item in found if item.get("type") == ConditionType.STORE_AVAILABLE), None)
