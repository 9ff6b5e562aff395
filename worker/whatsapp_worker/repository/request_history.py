"""Judge by a session's log whether a request is still to be carried out, and whether it ever held a login. Pure."""

from collections.abc import Iterable
from enum import Enum, auto

from whatsapp_session import timestamps
from whatsapp_worker.core import requests
from whatsapp_worker.repository import records

CLOCKS = 3600.0
"""Seconds by which the clocks of people and nodes may differ."""


class RequestStatus(Enum):
    """What becomes of a request at a start."""

    NEW = auto()
    DONE = auto()
    """The log shows that a worker has carried it out, though nobody heard of it."""
    STALE = auto()
    """Another worker has claimed the session since: it was meant for that one's predecessor."""


def status_of(newest_first: Iterable[records.Record], me: records.Owner, request: str, time: str) -> RequestStatus:
    """Judge a request; claims of the same pod do not count, so that one that died half-way goes on with it.

    Only workers of the same session can have carried it out: another owner's take-over answered another's request.
    Records that are older than the request cannot, with room for a clock that is wrong.
    """
    moment, taken_back = timestamps.seconds(time), False
    if moment is None:
        return RequestStatus.STALE
    for record in newest_first:
        written = timestamps.seconds(record.time) or 0.0
        if record.owner.same_session(me) and _fulfils(record.body, request, time):
            return RequestStatus.STALE if taken_back else RequestStatus.DONE
        if isinstance(record.body, records.Claim) and not record.owner.same_place(me):
            if moment < int(written):
                return RequestStatus.STALE
            taken_back = taken_back or not record.owner.same_session(me)
        if written < moment - CLOCKS:
            break
    return RequestStatus.NEW


def _fulfils(body: records.Body, request: str, time: str) -> bool:
    match body:
        case records.Claim(takeover=carried_out) if request == requests.TAKEOVER:
            return bool(carried_out) and not timestamps.is_newer(time, carried_out)
        case records.Logout(requested=carried_out) if request == requests.RELINK:
            return bool(carried_out) and not timestamps.is_newer(time, carried_out)
        case _:
            return False


def held_a_login(newest_first: Iterable[records.Record]) -> bool:
    """Tell whether the log names any archive or logout: a wrong, empty store names neither."""
    return any(isinstance(record.body, records.Generation | records.Logout) for record in newest_first)
