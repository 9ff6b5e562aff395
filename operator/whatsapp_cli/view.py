"""Decide what the command shows of a session. Pure: resource and time in, printable text out.

Workers and users write the resource: any value can have any type and contain terminal control characters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from whatsapp_session import timestamps
from whatsapp_session.conditions import ConditionStatus, ConditionType, Phase, SessionState
from whatsapp_session.untrusted import integer, mapping, mappings, text

Resource = Mapping[str, Any]

_LINKED_STATES = {
    SessionState.SYNCING,
    SessionState.CONNECTED,
    SessionState.RECONNECTING,
    SessionState.CONFLICT,
    SessionState.FROZEN,
}
_ENDED_PHASES = {Phase.FAILED, Phase.SUSPENDED}
_RELINK_PHASES = {Phase.LINK_EXPIRED, Phase.LOGGED_OUT}
COLUMNS = ("NAMESPACE", "NAME", "PHASE", "LINKED", "SAVED", "ACCOUNT", "POD", "AGE")


@dataclass(frozen=True, slots=True, repr=False)
class DrawCode:
    """A QR code to draw; no repr, because the code is a credential."""

    code: str
    caption: str


@dataclass(frozen=True, slots=True, repr=False)
class ShowPairingCode:
    """A pairing code to type on the phone; no repr, because the code is a credential."""

    code: str


@dataclass(frozen=True, slots=True)
class Wait:
    """There is no code to scan yet."""

    why: str


@dataclass(frozen=True, slots=True)
class Linked:
    """The session has a linked device."""

    account: str


@dataclass(frozen=True, slots=True)
class Expired:
    """The worker stopped because no phone linked in time, or was logged out; a relink request starts it again."""

    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """No code will come without user action; the message says what to do."""

    message: str


Screen = DrawCode | ShowPairingCode | Wait | Linked | Expired | Ended


def screen(resource: Resource, now: datetime) -> Screen:
    """Return what ``qr`` shows for a session at ``now`` (aware). Never raises, whatever the resource holds."""
    status = mapping(resource.get("status"))
    session = mapping(status.get("session"))
    phase = text(status.get("phase"))
    if _is_linked(resource, session, phase):
        return Linked(account=_account(session))
    if code := text(session.get("pairingCode")):
        return ShowPairingCode(code=code)
    qr = mapping(session.get("qr"))
    left = (timestamps.seconds(qr.get("expiresAt")) or 0.0) - now.timestamp()
    # The worker removes expired codes by its own clock; the clock of this machine may be wrong.
    if (code := text(qr.get("code"))) and (left > 0 or phase == Phase.AWAITING_LINK):
        countdown = f", valid for {int(left)} s more" if left > 0 else ""
        return DrawCode(code=code, caption=f"code {integer(qr.get('attempt'), 1)}{countdown}")
    if phase in _ENDED_PHASES:
        return Ended(f"{phase}: {_explanation(resource)}")
    if phase in _RELINK_PHASES:
        return Expired(f"{phase}: {_explanation(resource)}")
    return Wait(f"{phase or Phase.PENDING}: {_explanation(resource)}")


def _is_linked(resource: Resource, session: Resource, phase: str) -> bool:
    state = text(session.get("state"))
    if state == SessionState.FROZEN and not session.get("account"):
        return False  # the browser is paused while it waits for a phone
    if state in _LINKED_STATES:
        return True
    # Without a worker the condition tells it; of a failed session the message is more useful.
    return not session and phase != Phase.FAILED and _condition(resource, ConditionType.LINKED) == ConditionStatus.TRUE


def table(resources: Sequence[Resource], now: datetime) -> str:
    """Return the sessions as a table: a heading, then one line per session."""
    rows = [COLUMNS] + [_row(item, now) for item in resources]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(resource: Resource, now: datetime) -> tuple[str, ...]:
    metadata, status = mapping(resource.get("metadata")), mapping(resource.get("status"))
    created = timestamps.seconds(metadata.get("creationTimestamp"))
    return (
        text(metadata.get("namespace")),
        text(metadata.get("name")),
        text(status.get("phase")) or Phase.PENDING,
        _condition(resource, ConditionType.LINKED),
        _condition(resource, ConditionType.SAVED),
        _account(mapping(status.get("session"))),
        text(mapping(status.get("worker")).get("pod")) or "-",
        "-" if created is None else age(timedelta(seconds=now.timestamp() - created)),
    )


def age(elapsed: timedelta) -> str:
    """Return an age as kubectl writes it: the largest unit only."""
    seconds = max(0, int(elapsed.total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _condition(resource: Resource, kind: ConditionType) -> str:
    found = next((item for item in _conditions(resource) if item.get("type") == kind), {})
    return text(found.get("status")) or "-"


def _conditions(resource: Resource) -> Sequence[Resource]:
    return mappings(mapping(resource.get("status")).get("conditions"))


def _explanation(resource: Resource) -> str:
    """Return the message of the most relevant condition: Stalled, Reconciling, Linked, then Ready."""
    order = (ConditionType.STALLED, ConditionType.RECONCILING, ConditionType.LINKED, ConditionType.READY)
    for kind in order:
        for item in _conditions(resource):
            if item.get("type") == kind and (message := text(item.get("message"))):
                return message
    return "the operator has not reconciled this session yet"


def _account(session: Mapping[str, Any]) -> str:
    return text(mapping(session.get("account")).get("id")) or "-"
