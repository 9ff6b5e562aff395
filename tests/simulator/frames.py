"""Parse what the page says over its socket, once, at the border."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from collections.abc import Callable

from simulator import handshake


@dataclasses.dataclass(frozen=True, slots=True)
class LinkHello:
    """A page without a login shows its public keys and asks for refs."""

    run: str
    keys: handshake.PublicKeys


@dataclasses.dataclass(frozen=True, slots=True)
class LoginHello:
    """A page with a login, whole or half, proves it; `step` is the newest on its disk."""

    run: str
    device: str
    step: int
    proof: handshake.Proof


@dataclasses.dataclass(frozen=True, slots=True)
class Ack:
    """The page has this step on its disk."""

    step: int


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """The page's socket state has changed."""

    state: str


@dataclasses.dataclass(frozen=True, slots=True)
class Refresh:
    """The page wants a new batch of refs."""


@dataclasses.dataclass(frozen=True, slots=True)
class AskCode:
    """The page wants a pairing code for a phone number (digits only)."""

    number: str


@dataclasses.dataclass(frozen=True, slots=True)
class Paired:
    """The page has written its new login to its disk."""


@dataclasses.dataclass(frozen=True, slots=True)
class Passkey:
    """The WebAuthn prompt has ended."""

    passed: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Synced:
    """The page has written its records."""

    records: int
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """The page sends a message."""

    id: str
    to: str
    body: str


@dataclasses.dataclass(frozen=True, slots=True)
class Logout:
    """The page unlinks itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The page answers a request of the admin API."""

    request: int
    result: dict[str, object]


Frame = LinkHello | LoginHello | Ack | State | Refresh | AskCode | Paired | Passkey | Synced | Message | Logout | Answer


class BadFrameError(ValueError):
    """Say what the page sent that the server does not understand."""


class _Fields:
    """Read typed fields of a JSON object."""

    def __init__(self, raw: dict[str, object]) -> None:
        self._raw = raw

    def text(self, name: str) -> str:
        value = self._raw.get(name)
        if not isinstance(value, str):
            raise BadFrameError(f"{name} is not a string")
        return value

    def number(self, name: str) -> int:
        value = self._raw.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadFrameError(f"{name} is not an integer")
        return value

    def bytes_or_none(self, name: str) -> bytes | None:
        if self._raw.get(name) is None:
            return None
        try:
            return base64.b64decode(self.text(name), validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadFrameError(f"{name} is not base64") from error

    def key(self, name: str) -> bytes:
        value = self.bytes_or_none(name)
        if value is None or len(value) != handshake.PUBLIC_KEY_BYTES:
            raise BadFrameError(f"{name} is no public key")
        return value

    def flag(self, name: str) -> bool:
        return self._raw.get(name) is True

    def object(self, name: str) -> dict[str, object]:
        value = self._raw.get(name)
        if not isinstance(value, dict):
            raise BadFrameError(f"{name} is not an object")
        return value


_PARSERS: dict[str, Callable[[_Fields], Frame]] = {
    "link": lambda f: LinkHello(f.text("run"), handshake.PublicKeys(f.key("noise"), f.key("identity"))),
    "login": lambda f: LoginHello(
        f.text("run"),
        f.text("device"),
        f.number("step"),
        handshake.Proof(f.bytes_or_none("noise"), f.bytes_or_none("identity")),
    ),
    "ack": lambda f: Ack(f.number("step")),
    "state": lambda f: State(f.text("state")),
    "refresh": lambda f: Refresh(),
    "ask_code": lambda f: AskCode(f.text("number")),
    "paired": lambda f: Paired(),
    "passkey": lambda f: Passkey(f.flag("passed")),
    "synced": lambda f: Synced(f.number("records"), f.number("size")),
    "message": lambda f: Message(f.text("id"), f.text("to"), f.text("body")),
    "logout": lambda f: Logout(),
    "answer": lambda f: Answer(f.number("request"), f.object("result")),
}


def parse(text: str) -> Frame:
    """Parse one frame; raise BadFrameError with what is wrong."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise BadFrameError("not JSON") from error
    if not isinstance(raw, dict) or raw.get("type") not in _PARSERS:
        raise BadFrameError("no frame of a known type")
    return _PARSERS[raw["type"]](_Fields(raw))
