"""Read the requests of users: annotations with a time, each carried out once."""

from collections.abc import Iterable
from typing import Any, Final

from whatsapp_operator.observed.state import Ignored, Pod, Resource, Session
from whatsapp_session import names, timestamps
from whatsapp_session.untrusted import mapping, text

RESTART: Final = "restart"
SKIP_PURGE: Final = "skip-purge"
FOR_WORKERS: Final = ("relink", "save", "takeover")
"""Requests that the worker carries out; the operator copies them onto the Lease."""
STARTS: Final = (RESTART, "relink", "takeover")
"""Requests that start a session again after it had stopped for good."""
KINDS: Final = (RESTART, *FOR_WORKERS, SKIP_PURGE)
AHEAD_SECONDS: Final = 300.0
"""Seconds by which the time of a request may be ahead of the operator's clock.

A time further ahead is a mistake, and would hide all later requests of its kind.
"""
LONGEST_LIST: Final = 8
"""Maximum number of ignored annotations that the operator reports for one session."""


def sorted_out(metadata: Resource, now: float) -> tuple[dict[str, str], tuple[Ignored, ...]]:
    """Return the requests among a session's annotations by kind, and the ignored annotations with the reason."""
    prefix, suffix = names.request_annotation("\0").split("\0")
    created = timestamps.seconds(metadata.get("creationTimestamp")) or 0.0
    asked: dict[str, str] = {}
    ignored: list[Ignored] = []
    found = mapping(metadata.get("annotations"))
    for name in sorted(name for name in found if name.startswith(prefix) and name.endswith(suffix)):
        kind, value = name[len(prefix) : -len(suffix)], found[name]
        why = _mistake(kind, value, created, now)
        if why is None:
            asked[kind] = value
        else:
            ignored.append(Ignored(text(name, 128), text(value, 64), why))
    return asked, tuple(ignored[:LONGEST_LIST])


def _mistake(kind: str, value: object, created: float, now: float) -> str | None:
    time = timestamps.seconds(value)
    if kind not in KINDS:
        return f"the operator knows no such request; the requests are {', '.join(KINDS)}"
    if time is None:
        return "the value must be an RFC 3339 time such as 2026-01-31T12:00:00Z"
    if time > now + AHEAD_SECONDS:
        return "the time is more than 5 minutes in the future; set it to the current time"
    # The annotation is stale: it came with a restored backup of an earlier resource.
    return "the time is before the session was created; set it to the current time" if time < created else None


def credible(raw: Any, kinds: Iterable[str], now: float) -> dict[str, str]:
    """Return the reported times of handled requests by kind, without those that cannot be true."""
    said = mapping(raw)
    return {kind: said[kind] for kind in kinds if _passed(said.get(kind), now)}


def _passed(value: object, now: float) -> bool:
    time = timestamps.seconds(value)
    return time is not None and time <= now + AHEAD_SECONDS


def restart(session: Session) -> str | None:
    """Return the time of the newest restart request, handled or not; None if there is none."""
    return _newest([session.asked.get(RESTART), session.handled.get(RESTART)])


def newest_start(session: Session) -> str | None:
    """Return the time of the newest restart, relink or takeover request."""
    return _newest([session.asked.get(request) for request in STARTS])


def for_the_worker(session: Session) -> dict[str, str]:
    """Return the requests that the worker has not carried out yet."""
    done = _carried_out(session)
    asked = {request: session.asked[request] for request in FOR_WORKERS if request in session.asked}
    return {request: time for request, time in asked.items() if timestamps.is_newer(time, done.get(request))}


def skip_purge(session: Session) -> bool:
    """Return whether a user requests that a deleted session keeps its archives, or that the purge is given up."""
    return SKIP_PURGE in session.asked


def handled(session: Session, pod: Pod | None, now: float) -> dict[str, str]:
    """Return the newest time of each kind of request that the operator or a worker has carried out."""
    found = _carried_out(session)
    time = None if pod is None else pod.restarted_for
    if time is not None and _passed(time, now) and timestamps.is_newer(time, found.get(RESTART)):
        found[RESTART] = time
    return found


def _carried_out(session: Session) -> dict[str, str]:
    found = dict(session.handled)
    for request, time in () if session.report is None else session.report.handled.items():
        if timestamps.is_newer(time, found.get(request)):
            found[request] = time
    return found


def _newest(times: list[str | None]) -> str | None:
    found = {time: asked for time in times if time and (asked := timestamps.seconds(time)) is not None}
    return max(found, key=found.__getitem__) if found else None
