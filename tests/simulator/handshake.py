"""Judge a login: each device signs a challenge with two keys that lie in two storages of the page.

The first is a non-extractable key in IndexedDB, the second lies in localStorage. A profile of which only one storage
came back has half a login, which the real service would not take either.
"""

from __future__ import annotations

import dataclasses
import enum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PUBLIC_KEY_BYTES = 32


class Verdict(enum.StrEnum):
    """Say what the keys of a login are worth."""

    GOOD = "good"
    HALF_KEYS = "half_keys"
    UNKNOWN_DEVICE = "unknown_device"
    WRONG_KEYS = "wrong_keys"


@dataclasses.dataclass(frozen=True, slots=True)
class PublicKeys:
    """Hold a device's public keys, raw Ed25519, as they stand in its QR code."""

    noise: bytes
    identity: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """Hold the signatures that a page could make; None where it has lost the key."""

    noise: bytes | None
    identity: bytes | None

    @property
    def is_half(self) -> bool:
        """Return whether a key is missing."""
        return self.noise is None or self.identity is None


def signed_text(nonce: str, device: str, step: int) -> bytes:
    """Return what both keys sign: the challenge, who logs in, and the step its disk is at."""
    return f"login|{nonce}|{device}|{step}".encode()


def judge(keys: PublicKeys | None, proof: Proof, text: bytes) -> Verdict:
    """Judge a login against the device's keys (None: no such device)."""
    if proof.noise is None or proof.identity is None:
        return Verdict.HALF_KEYS
    if keys is None:
        return Verdict.UNKNOWN_DEVICE
    if _signed(keys.noise, proof.noise, text) and _signed(keys.identity, proof.identity, text):
        return Verdict.GOOD
    return Verdict.WRONG_KEYS


def _signed(public: bytes, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True
