"""Be a page without a browser: the same words to the server, a disk that a test can copy, damage and put back.

Unit tests drive the core with it, and the load test fills a server with hundreds of them.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from simulator import handshake

Words = dict[str, object]


@dataclasses.dataclass(slots=True)
class Disk:
    """Hold what a page has written: `noise` is in IndexedDB, `identity` in localStorage."""

    device: str | None = None
    step: int = 0
    noise: Ed25519PrivateKey | None = dataclasses.field(default=None, repr=False)
    identity: Ed25519PrivateKey | None = dataclasses.field(default=None, repr=False)

    def copy(self) -> Disk:
        """Return what a backup of this moment would hold."""
        return dataclasses.replace(self)


class BarePage:
    """Answer the server's frames as the page does."""

    def __init__(self, disk: Disk | None = None, run: str = "run") -> None:
        self.disk = disk if disk is not None else Disk()
        self.run = run
        self.noise = Ed25519PrivateKey.generate()
        self.identity = Ed25519PrivateKey.generate()
        self.secret = hashlib.sha256(run.encode()).digest()
        self.refs: list[str] = []
        self.code: str | None = None
        self.heard: list[Words] = []
        self.records = 0

    @property
    def keys(self) -> handshake.PublicKeys:
        """Return the public keys that a QR code shows."""
        return handshake.PublicKeys(
            self.noise.public_key().public_bytes_raw(), self.identity.public_key().public_bytes_raw()
        )

    def qr(self, ref: str | None = None) -> str:
        """Return the text of the QR code on the screen."""
        shown = ref if ref is not None else self.refs[0]
        return ",".join([shown, _b64(self.keys.noise), _b64(self.keys.identity), _b64(self.secret), "1"])

    def kinds(self) -> list[str]:
        """Return the kinds of frames it has heard."""
        return [str(frame["type"]) for frame in self.heard]

    def hear(self, frame: Words) -> list[Words]:
        """Take one frame from the server; return what the page says to it."""
        self.heard.append(frame)
        match frame["type"]:
            case "challenge":
                return [self._hello(str(frame["nonce"]))]
            case "refs":
                listed = frame["refs"]
                assert isinstance(listed, list)
                self.refs = [item["ref"] for item in listed]
            case "code":
                self.code = str(frame["code"])
            case "paired":
                return self._paired(frame)
            case "accepted":
                return [{"type": "state", "state": "CONNECTED"}, {"type": "synced", "records": self.records, "size": 0}]
            case "rejected" | "logged_out":
                self.disk = Disk()
            case "step" | "message" | "sent":
                step = frame["step"]
                assert isinstance(step, int)
                self.disk.step = step
                return [{"type": "ack", "step": step}]
        return []

    def _hello(self, nonce: str) -> Words:
        disk = self.disk
        if disk.device is None:
            keys = {"noise": _b64(self.keys.noise), "identity": _b64(self.keys.identity)}
            return {"type": "link", "run": self.run, **keys}
        text = handshake.signed_text(nonce, disk.device, disk.step)
        return {
            "type": "login",
            "run": self.run,
            "device": disk.device,
            "step": disk.step,
            "noise": _b64(disk.noise.sign(text)) if disk.noise else None,
            "identity": _b64(disk.identity.sign(text)) if disk.identity else None,
        }

    def _paired(self, frame: Words) -> list[Words]:
        secrets = [self.secret, *([self.code.encode()] if self.code else [])]
        text = self.keys.noise + self.keys.identity
        wanted = [_b64(hmac.new(secret, text, hashlib.sha256).digest()) for secret in secrets]
        if frame["proof"] not in wanted:
            return []
        self.disk = Disk(str(frame["device"]), 0, self.noise, self.identity)
        return [{"type": "paired"}]


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
