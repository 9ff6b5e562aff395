"""Parse what the page reports, once, into frozen values."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from whatsapp_session import untrusted

LONGEST_TEXT = 256
"""Characters that are kept of a name, an id or a version; WhatsApp's own have 60 at most."""
_ID = re.compile(r"[^@\s]+@[^@\s]+")
_SPACE = re.compile(r"\s")
"""As in "[object Promise]", which is no part of a code."""
_NO_PARTS = frozenset({"undefined", "null", "NaN", "true", "false"})
"""What JavaScript writes for a value that is no text."""


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
    word: str = ""
    """The page's own word for its state."""


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


class Need(StrEnum):
    """What a part of the page is needed for."""

    SESSION = "session"
    """To know whether the session is linked and connected, and as whom."""
    QR = "qr"
    CODE = "code"
    """A pairing code."""
    NOTHING = "nothing"
    """What a session can do without: names, progress, a value that comes later than it did."""


@dataclass(frozen=True, slots=True)
class ContractBroken:
    """What the page lacks, each as the contract's name and what it is instead, such as "X.y is a number"."""

    faults: tuple[str, ...]
    need: Need
    certain: bool = True
    """Whether it is wrong, and not merely absent, so that another load does not help."""


@dataclass(frozen=True, slots=True)
class UnexpectedPage:
    """Something else than WhatsApp Web was served: an HTTP error, or a page without any of ``missing``."""

    status: int
    missing: tuple[str, ...] = ()


PageEvent = Attached | Changed | Synced | Qr | Progress | LoggedOut | PasskeyAsked | ContractBroken | UnexpectedPage


def facts(raw: Mapping[str, Any]) -> PageState:
    """Parse the page's facts."""
    word = untrusted.text(raw.get("state"), LONGEST_TEXT) or str(SocketState.UNLAUNCHED)
    return PageState(
        state=SocketState(word) if word in set(SocketState) else SocketState.UNKNOWN,
        synced=untrusted.flag(raw.get("synced")),
        account=_account(untrusted.mapping(raw.get("account"))),
        version=_text(raw.get("version")),
        word=word,
    )


def _account(raw: Mapping[str, Any]) -> Account | None:
    """Return the account, None without an id: nothing may be saved for an account that is not known."""
    found = _text(raw.get("id"))
    return Account(found, _text(raw.get("pushname")), _text(raw.get("platform"))) if _ID.fullmatch(found) else None


def _text(value: object) -> str:
    # A name that anybody may choose: it may hold half a pair of surrogates, which no file or socket takes.
    return untrusted.text(value, LONGEST_TEXT)


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
            return _qr(raw.get("code"))
        case "progress":
            return Progress(max(0, min(100, untrusted.integer(raw.get("percent")))))
        case "logout":
            return LoggedOut()
        case "passkey":
            return PasskeyAsked()
        case "contract":
            return _contract_broken(raw)
        case "foreign":
            return UnexpectedPage(untrusted.integer(raw.get("status")), _texts(raw.get("broken")))
        case _:
            return None


def _qr(code: object) -> Qr | ContractBroken:
    """Return the code if it has the five parts that a phone reads: ref, two keys, secret, platform."""
    parts = code.split(",") if isinstance(code, str) else []
    whole = len(parts) == 5 and all(part and part not in _NO_PARTS and not _SPACE.search(part) for part in parts)
    return Qr(str(code)) if whole else ContractBroken(("the QR code has not five parts",), Need.QR, certain=False)


def _contract_broken(raw: Mapping[str, Any]) -> ContractBroken:
    need = raw.get("need")
    found = Need(need) if need in set(Need) else Need.NOTHING
    return ContractBroken(_texts(raw.get("broken")), found, untrusted.flag(raw.get("certain")))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(item) for item in untrusted.sequence(value))


def is_news_of_logout(url: str, before: str, parameter: str) -> bool:
    """Tell whether a navigation shows the address that follows a logout, and the one before it did not.

    The page stays there and may be linked again: a reload is no logout of that link. A further one says so itself.
    """
    return _is_logged_out_address(url, parameter) and not _is_logged_out_address(before, parameter)


def _is_logged_out_address(url: str, parameter: str) -> bool:
    return parse_qs(urlsplit(url).query).get(parameter) == ["1"]
