"""Issue refs and pairing codes, and read a QR code as a phone's camera does."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Callable

from simulator import handshake, knobs

Entropy = Callable[[int], bytes]
CODE_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"
# The page shows a ref by its own timers; a scan that was on its way when the ref changed is still taken.
LATE_S = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Ref:
    """Hold one ref and when it is shown, on the server's clock."""

    text: str
    shown_at: float
    expires_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class QrText:
    """Hold the five parts of a QR code; the secret is shared with the phone only, never with the server."""

    ref: str
    keys: handshake.PublicKeys
    secret: bytes = dataclasses.field(repr=False)
    platform: str


class BadQrError(ValueError):
    """Say why a text is no QR code of this page."""


def refs(entropy: Entropy, settings: knobs.Knobs, now: float) -> tuple[Ref, ...]:
    """Issue one batch: the first ref lives longer than the others."""
    batch: list[Ref] = []
    start = now
    for position in range(settings.ref_count):
        end = start + (settings.ref_first_s if position == 0 else settings.ref_next_s)
        batch.append(Ref("2@" + base64.b64encode(entropy(48)).decode(), start, end))
        start = end
    return tuple(batch)


def is_fresh(ref: Ref, now: float) -> bool:
    """Return whether a phone that scans this ref now is served."""
    return ref.shown_at - LATE_S <= now <= ref.expires_at + LATE_S


def pairing_code(entropy: Entropy) -> str:
    """Make an eight-character code that a person can type."""
    return "".join(CODE_ALPHABET[byte % len(CODE_ALPHABET)] for byte in entropy(8))


def read_qr(text: str) -> QrText:
    """Take a QR code apart; raise BadQrError with the part that is wrong."""
    parts = text.strip().split(",")
    if len(parts) != 5:
        raise BadQrError(f"a QR code has 5 parts, this text has {len(parts)}")
    ref, noise, identity, secret, platform = parts
    if not ref:
        raise BadQrError("the ref is empty")
    keys = handshake.PublicKeys(_key("noise key", noise), _key("identity key", identity))
    return QrText(ref, keys, _key("ADV secret", secret), platform)


def _key(what: str, text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadQrError(f"the {what} is not base64") from error
    if len(raw) != handshake.PUBLIC_KEY_BYTES:
        raise BadQrError(f"the {what} has {len(raw)} bytes, not {handshake.PUBLIC_KEY_BYTES}")
    return raw
