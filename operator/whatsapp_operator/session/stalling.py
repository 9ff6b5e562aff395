"""Say what is wrong where nothing else can be said: Ready and Stalled change, the rest of a stored status stays. Pure.

So it is when the API server refuses to show or to take what a decision needs, and when a specification is not
understood. What a status says besides is the last that was known, and a worker's rights hang on it.
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
    """A session or a store by its head."""

    kind: str


def unjudged(raw: Mapping[str, Any]) -> Unjudged:
    """Return the head of a session or store as the API server returned it."""
    return Unjudged(kind=text(raw.get("kind")), **parsing.head_parts(raw))


def misread(error: ValueError) -> Problem:
    """Return what is wrong with a resource whose specification is not understood."""
    what = f"the operator does not understand the spec: {error}"
    return Problem(Reason.INVALID_CONFIGURATION, f"{what}; upgrade the CRDs and the operator to the same version")


def own_status(found: Unjudged, problem: Problem, now: str, parts: Mapping[str, Any] | None = None) -> Manifest:
    """Return the operator's part of the status as it stands, but Ready False and Stalled True with this trouble.

    ``parts`` are known in spite of it, and take the place of what stands there.
    """
    own = {name: part for name, part in {**found.status, **(parts or {})}.items() if name != _WORKERS and part != {}}
    if found.kind == names.SESSION_KIND:
        own.setdefault("phase", str(Phase.FAILED))
    own["observedGeneration"] = found.generation
    return _stalled(own, found, problem, now)


def without(own: Manifest, found: Head, error: Refused, problem: Problem, now: str) -> Manifest | None:
    """Return a status without the values that the API server refuses, those that stood there in their place.

    None when it refuses more than values of single fields.
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
    """Return the Event; the same again is the same Event."""
    return EventRecord(problem.reason, problem.message, warning=True, since="")


def _part(own: Manifest, path: str) -> tuple[str, str] | None:
    """Return the field and its member that a path points into; keys of a map may hold dots themselves."""
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
