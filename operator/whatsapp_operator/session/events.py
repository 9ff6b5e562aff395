"""Choose the Events for a change of status: one for each change that matters to users."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from whatsapp_operator.observed.state import Session, Subject
from whatsapp_session import names
from whatsapp_session.conditions import ConditionStatus, ConditionType, Reason
from whatsapp_session.untrusted import mappings, text

Manifest = dict[str, Any]

_SILENT_WHILE_BUSY: Final = frozenset(
    {Reason.POD_STARTING, Reason.START_QUEUED, Reason.RESTORING, Reason.REPLACING, Reason.STOPPING}
)
_WARNINGS: Final = frozenset(
    {
        Reason.LOGGED_OUT_FROM_PHONE,
        Reason.QR_EXPIRED,
        Reason.ACCOUNT_MISMATCH,
        Reason.CONFLICT,
        Reason.FROZEN,
        Reason.BACKUP_OVERDUE,
        Reason.SNAPSHOT_FAILED,
        Reason.STORE_UNAVAILABLE,
        Reason.STORE_NOT_FOUND,
        Reason.UNSCHEDULABLE,
        Reason.QUOTA_EXCEEDED,
        Reason.NODE_LOST,
    }
)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One change; ``since`` distinguishes two of a kind, and makes repeated reports of one the same Event."""

    reason: str
    message: str
    warning: bool
    since: str


def events_of(before: Mapping[str, Any], after: Mapping[str, Any], told: Reason | None = None) -> Iterator[EventRecord]:
    """Yield the changes that matter to users, except the problem ``told``, which the worker has posted itself."""
    old = {text(item.get("type")): item for item in mappings(before.get("conditions"))}
    for new in after.get("conditions") or ():
        was = old.get(new["type"])
        if was is not None and (was.get("status"), was.get("reason")) == (new["status"], new["reason"]):
            continue
        if new["reason"] != told and _matters(new, was, after.get("phase")):
            stalled = new["type"] == ConditionType.STALLED
            since = "" if was is None else f"{text(was.get('lastTransitionTime'))}{text(was.get('reason'))}"
            warning = stalled or new["reason"] in _WARNINGS
            # A condition without a predecessor only has its own time; if Stalled comes and goes, that is two Events.
            yield EventRecord(new["reason"], new["message"], warning, since or new["lastTransitionTime"])


def ignored(session: Session) -> Iterator[EventRecord]:
    """Yield a warning for each ignored request, because nothing else informs the user."""
    for item in session.ignored:
        message = f"the operator ignores the annotation {item.annotation} with the value {item.value!r}: {item.why}"
        yield EventRecord(Reason.REQUEST_IGNORED, message, True, "")


def _matters(new: Mapping[str, Any], was: Mapping[str, Any] | None, phase: Any) -> bool:
    if new["status"] == ConditionStatus.UNKNOWN:
        return False
    true = bool(new["status"] == ConditionStatus.TRUE)
    match new["type"]:
        case ConditionType.STALLED:
            return true
        case ConditionType.RECONCILING:
            return true and new["reason"] not in _SILENT_WHILE_BUSY
        case ConditionType.LINKED:
            # The worker itself posts Events about a link and the first save, with account and generation.
            return not true
        case ConditionType.SAVED:
            return not true and new["reason"] in _WARNINGS and phase == "Connected"
        case ConditionType.CONNECTED:
            return true or new["reason"] in (Reason.CONFLICT, Reason.FROZEN, Reason.SUSPENDED)
        case _:
            return False


def manifest(subject: Subject, event: EventRecord, now: str) -> Manifest:
    """Return the Event; its name is derived from its content, so that the API server rejects a repetition."""
    seed = f"{subject.uid}/{event.reason}/{event.since}/{event.message}"
    digest = hashlib.sha256(seed.encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{subject.name}.{digest}", "namespace": subject.namespace},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
        },
        "reason": event.reason,
        # The API server accepts at most 1024 bytes.
        "message": event.message[:1000],
        "type": "Warning" if event.warning else "Normal",
        "source": {"component": names.OPERATOR_MANAGER},
        "reportingComponent": f"{names.GROUP}/operator",
        "reportingInstance": names.OPERATOR_MANAGER,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
