"""Parse what the page reports, once, into frozen values."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from whatsapp_session import untrusted

LONGEST_TEXT = 256
"""Characters that are kept of a name, an id or a version; WhatsApp's own have 60 at most."""


class SocketState(StrEnum):
    """The page's own words for its connection."""

    UNLAUNCHED = "UNLAUNCHED"
    OPENING = "OPENING"
    PAIRING = "PAIRING"
    UNPAIRED = "UNPAIRED"
    UNPAIRED_IDLE = "UNPAIRED_IDLE"
    CONNECTED = "CONNECTED"
    TIMEOUT = "TIMEOUT"
    CONFLICT = "CONFLICT"
    PROXYBLOCK = "PROXYBLOCK"
    TOS_BLOCK = "TOS_BLOCK"
    SMB_TOS_BLOCK = "SMB_TOS_BLOCK"
    DEPRECATED_VERSION = "DEPRECATED_VERSION"
    DELETED = "DELETED"
    UNKNOWN = "UNKNOWN"
    """A word that this version does not know; never a reason to delete anything."""


@dataclass(frozen=True, slots=True)
class Account:
    """The linked account; its repr omits the full id."""

    id: str = field(repr=False)
    push_name: str = field(default="", repr=False)
    platform: str = ""

    @property
    def hash(self) -> str:
        """First 16 hex digits of SHA-256 of the full id, equal for all devices of an account."""
        user, at, server = self.id.partition("@")
        return hashlib.sha256(f"{user.partition(':')[0]}{at}{server}".encode()).hexdigest()[:16]

    @property
    def masked(self) -> str:
        """The id with all but two digits at both ends hidden."""
        user, at, server = self.id.partition("@")
        user = user.partition(":")[0]
        hidden = f"{user[:2]}***{user[-2:]}" if len(user) > 6 else "***"
        return f"{hidden}{at}{server}"


@dataclass(frozen=True, slots=True)
class PageState:
    """What the page says of itself when asked."""

    state: SocketState
    synced: bool = False
    account: Account | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Attached:
    """The adapter listens to a freshly loaded page."""

    facts: PageState


@dataclass(frozen=True, slots=True)
class Changed:
    """The connection's state changed."""

    facts: PageState


@dataclass(frozen=True, slots=True)
class Synced:
    """The page announced that it has synced."""

    facts: PageState


@dataclass(frozen=True, slots=True)
class Qr:
    """A code to scan."""

    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """Percentage of the synchronisation."""

    percent: int


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The phone removed this device; the page is about to wipe itself."""


@dataclass(frozen=True, slots=True)
class PasskeyAsked:
    """The link cannot go on without a passkey."""


@dataclass(frozen=True, slots=True)
class ContractBroken:
    """Modules or members that are missing; ``session`` tells whether a linked session can be observed at all."""

    missing: tuple[str, ...]
    session: bool


@dataclass(frozen=True, slots=True)
class UnexpectedPage:
    """Something else than WhatsApp Web was served: an HTTP error, or a page without anything of ``missing``."""

    status: int
    missing: tuple[str, ...] = ()


PageEvent = Attached | Changed | Synced | Qr | Progress | LoggedOut | PasskeyAsked | ContractBroken | UnexpectedPage


def facts(raw: Mapping[str, Any]) -> PageState:
    """Parse the page's facts."""
    text = raw.get("state") or SocketState.UNLAUNCHED
    account = raw.get("account")
    return PageState(
        state=SocketState(text) if text in set(SocketState) else SocketState.UNKNOWN,
        synced=bool(raw.get("synced")),
        account=_account(account) if account else None,
        version=_text(raw.get("version", "")),
    )


def _account(raw: Mapping[str, Any]) -> Account:
    return Account(_text(raw["id"]), _text(raw["pushname"]), _text(raw["platform"]))


def _text(value: object) -> str:
    # A name that anybody may choose: it may hold half a pair of surrogates, which no file or socket takes.
    return untrusted.text(str(value), LONGEST_TEXT)


def parse(raw: Mapping[str, Any]) -> PageEvent | None:
    """Return the event of a report, None for a kind that this version does not know."""
    match raw.get("kind"):
        case "attached":
            return Attached(facts(raw))
        case "state":
            return Changed(facts(raw))
        case "synced":
            return Synced(facts(raw))
        case "qr":
            return Qr(str(raw["code"]))
        case "progress":
            return Progress(int(raw["percent"]))
        case "logout":
            return LoggedOut()
        case "passkey":
            return PasskeyAsked()
        case "contract":
            return ContractBroken(tuple(str(name) for name in raw["missing"]), bool(raw["session"]))
        case "foreign":
            return UnexpectedPage(int(raw["status"]), tuple(str(name) for name in raw["missing"]))
        case _:
            return None


def is_news_of_logout(url: str, before: str, parameter: str) -> bool:
    """Tell whether a navigation shows the address that follows a logout, and the one before it did not.

    The page stays there and may be linked again: a reload is no logout of that link. A further one says so itself.
    """
    return _is_logged_out_address(url, parameter) and not _is_logged_out_address(before, parameter)


def _is_logged_out_address(url: str, parameter: str) -> bool:
    return parse_qs(urlsplit(url).query).get(parameter) == ["1"]
