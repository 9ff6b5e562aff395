"""Read what people wish of a session: annotations with a time, each carried out once."""

from collections.abc import Mapping
from typing import Final

from whatsapp_operator.observed import Pod, Report, Session
from whatsapp_session import names, timestamps

RESTART: Final = "restart"
SKIP_PURGE: Final = "skip-purge"
FOR_WORKERS: Final = ("relink", "save", "takeover")
"""Wishes that the worker carries out; the operator copies them onto the Lease."""
STARTS: Final = (RESTART, "relink", "takeover")
"""Wishes that let a session start again that was held back."""


def restart(session: Session) -> str | None:
    """Return the time of the newest wish for a restart, carried out or not; None if there never was one."""
    return _newest([_asked(session, RESTART), session.handled.get(RESTART)])


def newest_start(session: Session) -> str | None:
    """Return the time of the newest wish that lets a session start."""
    return _newest([_asked(session, wish) for wish in STARTS])


def for_the_worker(session: Session) -> dict[str, str]:
    """Return the wishes that the worker has still to carry out."""
    done = handled(session, None, session.report)
    asked = {wish: time for wish in FOR_WORKERS if (time := _asked(session, wish)) is not None}
    return {wish: time for wish, time in asked.items() if timestamps.is_newer(time, done.get(wish))}


def skip_purge(session: Session) -> bool:
    """Return whether a person wishes that the archives of a deleted session stay, or that nobody tries any more."""
    return _asked(session, SKIP_PURGE) is not None


def handled(session: Session, pod: Pod | None, report: Report | None) -> dict[str, str]:
    """Return the newest time of each wish that was carried out, by the operator or by a worker."""
    found = dict(session.handled)
    told: Mapping[str, str] = {} if report is None else report.handled
    by_pod = {} if pod is None or pod.restarted_for is None else {RESTART: pod.restarted_for}
    for wish, time in [*told.items(), *by_pod.items()]:
        if timestamps.is_newer(time, found.get(wish)):
            found[wish] = time
    return found


def _asked(session: Session, wish: str) -> str | None:
    time = session.annotations.get(names.wish_annotation(wish))
    asked = timestamps.seconds(time)
    # Older than the resource: it came with a restored backup and was meant for another life.
    return time if asked is not None and asked >= timestamps.parse(session.created).timestamp() else None


def _newest(times: list[str | None]) -> str | None:
    found = {time: asked for time in times if time and (asked := timestamps.seconds(time)) is not None}
    return max(found, key=found.__getitem__) if found else None
