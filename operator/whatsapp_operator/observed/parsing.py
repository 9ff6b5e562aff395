"""Parse sessions and stores into frozen values.

Input of workers and users never makes these functions raise, with one exception: a spec that this operator does not
understand raises SpecError.
"""

import re
from collections.abc import Mapping
from typing import Any

from whatsapp_operator.observed import requests
from whatsapp_operator.observed.pod_parsing import reason
from whatsapp_operator.observed.state import Last, Problem, Report, Resource, Session, Store
from whatsapp_session import timestamps
from whatsapp_session.conditions import ConditionStatus, ConditionType, SessionState
from whatsapp_session.session_spec import OperatingMode, SessionSpec, parse_session
from whatsapp_session.store_spec import parse_store
from whatsapp_session.untrusted import flag, integer, mapping, mappings, sequence, text, text_or_none

_HASH = re.compile(r"[0-9A-Za-z]{1,64}")


def _problem(raw: Any) -> Problem | None:
    found = mapping(raw)
    word = reason(found.get("reason"))
    return None if word is None else Problem(word, text(found.get("message")))


def _hash(value: Any) -> str | None:
    """Return the hash of an account, which the operator writes into the Lease."""
    return value if isinstance(value, str) and _HASH.fullmatch(value) else None


def _report(raw: Any, now: float) -> Report | None:
    found = mapping(raw)
    if not found:
        return None
    word, saved = text(found.get("state")), mapping(found.get("saved"))
    warnings = [_problem(item) for item in sequence(found.get("warnings"))]
    return Report(
        pod_uid=text(found.get("podUID")),
        state=SessionState(word) if word in set(SessionState) else None,
        state_since=text(found.get("stateSince")),
        account_hash=_hash(mapping(found.get("account")).get("hash")),
        saved="generation" in saved or "time" in saved,
        overdue="overdueSince" in saved,
        problem=_problem(found.get("lastError")),
        handled=requests.credible(found.get("handledRequests"), requests.FOR_WORKERS, now),
        warnings=tuple(item for item in warnings if item is not None),
        saved_at=timestamps.seconds(saved.get("time")),
        restart_count=integer(found["restartCount"]) if "restartCount" in found else None,
        link_attempts=integer(mapping(found.get("qr")).get("attempt")),
    )


def _last(raw: Resource) -> Last:
    exit_code = raw.get("exitCode")
    return Last(
        account_hash=_hash(raw.get("accountHash")),
        linked=_known(raw.get("linked")),
        saved=_known(raw.get("saved")),
        end_reason=reason(raw.get("endReason")),
        end_message=text_or_none(raw.get("endMessage")),
        end_time=text_or_none(raw.get("endTime")),
        exit_code=None if exit_code is None else integer(exit_code, 1),
        failures=max(0, integer(raw.get("failures"))),
        pod_uid=text_or_none(raw.get("podUID")),
        template_hash=text_or_none(raw.get("templateHash")),
        started_for=text_or_none(raw.get("startedFor")),
        stopped=flag(raw.get("stopped")),
        store=text_or_none(raw.get("store")),
    )


def _known(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def parse_session_resource(raw: Resource, now: float) -> Session:
    """Parse a WhatsAppSession as it is at a time (seconds since the epoch).

    Raises SpecError if its spec is not understood.
    """
    status = mapping(raw.get("status"))
    last = _last(mapping(mapping(status.get("worker")).get("last")))
    return _session(raw, parse_session(raw.get("spec")), _report(status.get("session"), now), last, now)


def parse_essentials(raw: Resource, now: float) -> Session:
    """Parse the fields that suspend, restart and delete need, without the worker's report. Raises SpecError."""
    return _session(raw, parse_session(raw.get("spec")), None, _essential_last(raw), now)


def parse_head(raw: Resource, now: float) -> Session:
    """Parse the fields that suspend and delete need, of a session whose spec raises SpecError."""
    suspended = mapping(raw.get("spec")).get("operatingMode") == OperatingMode.SUSPENDED
    mode = OperatingMode.SUSPENDED if suspended else OperatingMode.RUNNING
    return _session(raw, SessionSpec(operating_mode=mode), None, _essential_last(raw), now)


def head_parts(raw: Resource) -> dict[str, Any]:
    """Return the parts of a ``Head``."""
    metadata = mapping(raw.get("metadata"))
    return {
        "namespace": text(metadata.get("namespace")),
        "name": text(metadata.get("name")),
        "uid": text(metadata.get("uid")),
        "generation": integer(metadata.get("generation")),
        "resource_version": text(metadata.get("resourceVersion")),
        "deleting": "deletionTimestamp" in metadata,
        "finalizers": tuple(item for item in sequence(metadata.get("finalizers")) if isinstance(item, str)),
        "status": mapping(raw.get("status")),
    }


def _essential_last(raw: Resource) -> Last:
    last = mapping(mapping(mapping(raw.get("status")).get("worker")).get("last"))
    return Last(
        account_hash=_hash(last.get("accountHash")),
        end_time=text_or_none(last.get("endTime")),
        started_for=text_or_none(last.get("startedFor")),
        store=text_or_none(last.get("store")),
    )


def _session(raw: Resource, spec: SessionSpec, report: Report | None, last: Last, now: float) -> Session:
    metadata, status = mapping(raw.get("metadata")), mapping(raw.get("status"))
    asked, ignored = requests.sorted_out(metadata, now)
    return Session(
        **head_parts(raw),
        asked=asked,
        ignored=ignored,
        spec=spec,
        report=report,
        last=last,
        handled=requests.credible(status.get("handledRequests"), requests.KINDS, now),
    )


def parse_store_resource(raw: Resource) -> Store:
    """Parse a SessionStore. Raises SpecError."""
    spec, status = mapping(raw.get("spec")), mapping(raw.get("status"))
    return Store(
        **head_parts(raw),
        spec=parse_store(spec),
        annotations=_strings(mapping(spec.get("serviceAccount")).get("annotations")),
        shared_account=_known(mapping(spec.get("serviceAccount")).get("shared")),
        pod_labels=_strings(spec.get("podLabels")),
        problem=_store_problem(status.get("conditions")),
    )


def _strings(value: Any) -> Mapping[str, str]:
    """Return the text values of a user's map unchanged; the API server validates them."""
    return {name: item for name, item in mapping(value).items() if isinstance(item, str)}


def _store_problem(conditions: Any) -> Problem | None:
    for item in mappings(conditions):
        if item.get("type") == ConditionType.STORE_AVAILABLE and item.get("status") == ConditionStatus.FALSE:
            return _problem(item)
    return None
