"""Call the phone and admin API from a test or a script; the standard library only."""

from __future__ import annotations

import dataclasses
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping


class RefusedError(Exception):
    """Say that the simulator refused a call: `reason` is one word."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.status = status
        self.reason = reason


class WaitedInVainError(AssertionError):
    """Say what was waited for and what was there instead."""


@dataclasses.dataclass(frozen=True, slots=True)
class Device:
    """Hold one linked device as the server sees it; `step` is the newest that its page acknowledged."""

    id: str
    phone: str
    wid: str
    linked: bool
    online: bool
    synced: bool
    page_state: str | None
    linked_at: float
    logins: int
    step: int
    step_sent: int
    rollbacks: int
    two_browsers: int
    undecryptable: bool
    held_elsewhere: bool
    records: int
    bytes: int
    undelivered: int


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Hold one numbered event."""

    number: int
    at: float
    kind: str
    device: str | None
    details: dict[str, object]


@dataclasses.dataclass(frozen=True, slots=True)
class Tls:
    """Hold what a browser needs to know of the page's server."""

    page_port: int
    spki: str
    certificate: str


class Admin:
    """Be the phones and the test's hand, over HTTP."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def scan(self, phone: str, qr: str) -> str | None:
        """Scan a QR code with this phone; return the new device's id (None: the page must pass a passkey first)."""
        return _id(self._call("POST", f"/api/phones/{_quoted(phone)}/scan", {"qr": qr})["device"])

    def enter_code(self, phone: str, code: str) -> str | None:
        """Type a pairing code into this phone; return as scan does."""
        return _id(self._call("POST", f"/api/phones/{_quoted(phone)}/code", {"code": code})["device"])

    def describe_phone(self, phone: str, **fields: str) -> dict[str, object]:
        """Make a phone with this number, pushname or platform; return name, number and wid."""
        return self._call("PUT", f"/api/phones/{_quoted(phone)}", fields)

    def write(self, phone: str, sender: str, body: str) -> str:
        """Send a message to this phone; return its id."""
        return str(self._call("POST", f"/api/phones/{_quoted(phone)}/messages", {"from": sender, "body": body})["id"])

    def logout(self, device: str) -> bool:
        """Unlink a device from its phone; return whether it was on line to hear it."""
        return self._call("POST", f"/api/devices/{_quoted(device)}/logout", {})["online"] is True

    def take_over(self, device: str, steps: int = 0) -> bool:
        """Let another browser use this login; return whether it met the device on line."""
        return self._call("POST", f"/api/devices/{_quoted(device)}/takeover", {"steps": steps})["met"] is True

    def drop(self, device: str) -> None:
        """Cut the device's socket once."""
        self._call("POST", f"/api/devices/{_quoted(device)}/drop", {})

    def verify(self, device: str) -> dict[str, object]:
        """Let the page check all its records: {"ok", "records", "expected", "bad", "missing", "bytes"}."""
        return self._call("POST", f"/api/devices/{_quoted(device)}/verify", {})

    def crash(self, device: str) -> None:
        """Let the page take its renderer process down."""
        self._call("POST", f"/api/devices/{_quoted(device)}/crash", {})

    def set_network(self, up: bool) -> None:
        """Cut and refuse sockets, or serve them again."""
        self._call("POST", "/api/network", {"up": up})

    def set_site(self, up: bool) -> None:
        """Close or open the page's port."""
        self._call("POST", "/api/site", {"up": up})

    def set_knobs(self, **changes: object) -> None:
        """Change knobs."""
        self._call("PATCH", "/api/knobs", changes)

    def reset(self) -> None:
        """Forget everybody and set the initial knobs."""
        self._call("POST", "/api/reset", {})

    def tls(self) -> Tls:
        """Return the page's port and key hash."""
        return Tls(**self._call("GET", "/api/tls"))  # type: ignore[arg-type] # the server's own fields

    def state(self) -> dict[str, object]:
        """Return the whole state as the server prints it."""
        return self._call("GET", "/api/state")

    def counts(self) -> dict[str, int]:
        """Return the counts, 0 for what never happened is absent."""
        counts = self.state()["counts"]
        assert isinstance(counts, dict)
        return counts

    def devices(self, phone: str | None = None) -> list[Device]:
        """Return the devices of a phone, or of all, unlinked ones included."""
        phones = self.state()["phones"]
        assert isinstance(phones, list)
        return [Device(**d) for p in phones if phone in (None, p["name"]) for d in p["devices"]]

    def device(self, identity: str) -> Device:
        """Return one device; raise KeyError when there is none."""
        for item in self.devices():
            if item.id == identity:
                return item
        raise KeyError(identity)

    def messages(self, phone: str) -> list[dict[str, object]]:
        """Return the messages that a phone has seen, from its devices too."""
        phones = self.state()["phones"]
        assert isinstance(phones, list)
        return [message for p in phones if p["name"] == phone for message in p["messages"]]

    def events(self, after: int = 0, kind: str | None = None, wait: float = 0) -> list[Event]:
        """Return the events after a number; wait up to `wait` seconds for the first of them."""
        listed = self._call("GET", f"/api/events?after={after}&wait={wait}", timeout=wait + 30)["events"]
        assert isinstance(listed, list)
        return [event for event in (Event(**raw) for raw in listed) if kind in (None, event.kind)]

    def wait_for(self, what: str, predicate: Callable[[list[Device]], bool], seconds: float = 60) -> list[Device]:
        """Wait until the devices are as the predicate says; raise WaitedInVainError with what they are instead."""
        end = time.monotonic() + seconds
        seen = 0
        while True:
            last = self.state()["last_event"]
            devices = self.devices()
            if predicate(devices):
                return devices
            left = end - time.monotonic()
            if left <= 0:
                raise WaitedInVainError(f"waited {seconds:g} s for {what}; there is {devices}")
            seen = last if isinstance(last, int) else seen
            self.events(after=seen, wait=min(left, 1.0))

    def wait_for_event(self, kind: str, after: int = 0, seconds: float = 60) -> Event:
        """Wait for the first event of this kind after a number."""
        end = time.monotonic() + seconds
        seen = after
        while (left := end - time.monotonic()) > 0:
            for event in self.events(after=seen, wait=min(left, 5.0)):
                if event.kind == kind:
                    return event
                seen = event.number
        kinds = [event.kind for event in self.events(after=after)]
        raise WaitedInVainError(f"waited {seconds:g} s for an event {kind!r}; there were {kinds}")

    def _call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, timeout: float = 70
    ) -> dict[str, object]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            # No proxy of the environment: the simulator is on loopback or in the test's own cluster.
            with _OPENER.open(request, timeout=timeout) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error) from None
        assert isinstance(answer, dict)
        return answer


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _refusal(error: urllib.error.HTTPError) -> RefusedError:
    text = error.read().decode(errors="replace")
    try:
        raw = json.loads(text)
        return RefusedError(error.code, str(raw["reason"]), str(raw["error"]))
    except (ValueError, KeyError, TypeError):
        return RefusedError(error.code, "http", text[:200])


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe=":")


def _id(value: object) -> str | None:
    return value if isinstance(value, str) else None
