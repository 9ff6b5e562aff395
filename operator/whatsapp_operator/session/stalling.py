"""Report a problem if nothing else is known: change Ready and Stalled, keep the rest of the stored status. Pure.

This is needed if the API server rejects requests that a decision needs, or if a spec is invalid. The rest of the status
is the last known state, and the rights of the worker depend on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from whatsapp_kube.errors import Refused
from whatsapp_operator.observed import parsing
from whatsapp_operator.observed.state import Head, Problem
from whatsapp_operator.session.events import EventRecord
from whatsapp_operator.session.status import written
from whatsapp_session import names
from whatsapp_session.conditions import Condition, ConditionStatus, ConditionType, Phase, Reason
from whatsapp_session.untrusted import mappings, text

Manifest = dict[str, Any]
_OVERALL: Final = (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)
_WORKERS: Final = "session"
"""The field of a status that the worker writes."""


@dataclass(frozen=True, slots=True)
class Unjudged(Head):
    """A session or a store without its spec."""

    kind: str


def unjudged(raw: Mapping[str, Any]) -> Unjudged:
    """Return a session or store of the API server without its spec."""
    return Unjudged(kind=text(raw.get("kind")), **parsing.head_parts(raw))


def misread(error: ValueError) -> Problem:
    """Return the problem of a resource with an invalid spec."""
    what = f"the operator does not understand the spec: {error}"
    return Problem(Reason.INVALID_CONFIGURATION, f"{what}; upgrade the CRDs and the operator to the same version")


def own_status(found: Unjudged, problem: Problem, now: str, parts: Mapping[str, Any] | None = None) -> Manifest:
    """Return the operator's part of the stored status, with Ready False and Stalled True for this problem.

    ``parts`` are known nevertheless and replace the stored ones.
    """
    own = {name: part for name, part in {**found.status, **(parts or {})}.items() if name != _WORKERS and part != {}}
    if found.kind == names.SESSION_KIND:
        own.setdefault("phase", str(Phase.FAILED))
    own["observedGeneration"] = found.generation
    return _stalled(own, found, problem, now)


def without(own: Manifest, found: Head, error: Refused, problem: Problem, now: str) -> Manifest | None:
    """Return a status with the stored values in the place of those that the API server rejects.

    None if it rejects more than values of single fields.
    """
    refused = [cause.field.removeprefix("status.") for cause in error.causes if cause.field.startswith("status.")]
    parts = {_part(own, path) for path in refused}
    if not parts or None in parts:
        return None
    smaller = dict(own)
    for top, member in filter(None, parts):
        stored = found.status.get(top) or {}
        kept = {name: value for name, value in smaller[top].items() if name != member}
        smaller[top] = kept | ({member: stored[member]} if member in stored else {})
    return _stalled(smaller, found, problem, now)


def event_of(problem: Problem) -> EventRecord:
    """Return the Event; the same problem gives the same Event."""
    return EventRecord(problem.reason, problem.message, warning=True, since="")


def _part(own: Manifest, path: str) -> tuple[str, str] | None:
    """Return the field and its member to which a path points; keys of a map can contain dots."""
    top, _, rest = path.partition(".")
    members = own.get(top)
    if not isinstance(members, dict):
        return None
    return next(((top, name) for name in members if f"{rest}.".startswith(f"{name}.")), None)


def _stalled(own: Manifest, found: Head, problem: Problem, now: str) -> Manifest:
    before = {text(item.get("type")): item for item in mappings(found.status.get("conditions"))}
    wanted = (
        Condition(ConditionType.READY, ConditionStatus.FALSE, problem.reason, problem.message),
        Condition(ConditionType.STALLED, ConditionStatus.TRUE, problem.reason, problem.message),
    )
    overall = [written(item, before.get(item.type), found.generation, now) for item in wanted]
    rest = [item for item in mappings(own.get("conditions")) if item.get("type") not in _OVERALL]
    return own | {"conditions": [*overall, *rest]}
