"""Show a session in a terminal: the QR code, redrawn at rotation, and one clear line for each change of state."""

import io
import json
import sys
import time
from typing import TextIO

import segno

from whatsapp_session.conditions import SessionState
from whatsapp_worker.core.state import Model, Problem, Saved, ShownCode

_SAYS = {
    SessionState.CLAIMING: "claiming the session in the store",
    SessionState.RESTORING: "restoring the profile",
    SessionState.LAUNCHING: "starting the browser",
    SessionState.AWAITING_LINK: "waiting for a phone: WhatsApp > Linked devices > Link a device",
    SessionState.SYNCING: "linked, synchronising",
    SessionState.CONNECTED: "connected",
    SessionState.RECONNECTING: "the connection is lost, trying again",
    SessionState.FROZEN: "frozen: neither the store nor the API answers",
    SessionState.STOPPING: "stopping: last save, then the browser is closed",
    SessionState.LOGGED_OUT: "the phone removed this device",
    SessionState.LINK_EXPIRED: "nobody linked a phone in time",
    SessionState.CONFLICT: "the session was opened elsewhere",
    SessionState.SUPERSEDED: "another worker has taken the session",
    SessionState.FAILED: "failed",
}


class Terminal:
    """Draw on a text stream; colours and redrawing only where it is a terminal."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._last = Model()
        self._state: SessionState | None = None
        self._drawn = 0

    def show(self, current: Model) -> None:
        """Write what is new."""
        last, self._last = self._last, current
        if current.state is not self._state:
            self._state = current.state
            self._line(_SAYS[current.state] + self._detail(current))
        if current.fault and current.fault != last.fault:
            self._line(f"! {current.fault.reason}: {current.fault.message}")
        if current.sandbox and not last.sandbox:
            self._line(f"browser {current.browser_version}, sandbox: {current.sandbox}")
        for warning in current.warnings:
            if warning not in last.warnings:
                self._line(f"! {warning.reason}: {warning.message}")
        if current.qr and current.qr != last.qr:
            self._draw(current.qr)
        if current.pairing_code and current.pairing_code != last.pairing_code:
            self._line(f"pairing code: {current.pairing_code}")
        if current.state is SessionState.SYNCING and current.percent != last.percent and current.percent >= 0:
            self._line(f"  {current.percent} %")
        new = last.saved is None or (current.saved and current.saved.generation != last.saved.generation)
        if current.saved and new and current.saved.size:
            size = current.saved.size / 1e6
            self._line(f"saved: generation {current.saved.generation}, {size:.1f} MB ({current.saved.trigger})")

    @staticmethod
    def _detail(current: Model) -> str:
        if current.state is SessionState.CONNECTED and current.account:
            return f" as {current.account.masked}"
        return ""

    def _line(self, text: str) -> None:
        self._drawn = 0
        print(f"{time.strftime('%H:%M:%S')}  {text}", file=self._stream, flush=True)

    def _draw(self, shown: ShownCode) -> None:
        picture = io.StringIO()
        segno.make(shown.code, error="l", micro=False).terminal(picture, compact=True, border=2)
        text = picture.getvalue()
        if self._drawn and self._stream.isatty():
            print(f"\x1b[{self._drawn}A\x1b[J", end="", file=self._stream)
        seconds = shown.expires_at - shown.issued_at
        print(f"{text}code {shown.attempt}, valid for about {seconds:.0f} s", file=self._stream, flush=True)
        self._drawn = text.count("\n") + 1


class EventLines:
    """Print one JSON object a line for each event and each change of state, for scripts.

    The code in a ``qr`` event is there because the user asked for this channel; logs never hold it.
    """

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._state: SessionState | None = None
        self._saved: Saved | None = None
        self._fault: Problem | None = None
        self._warnings: tuple[Problem, ...] = ()
        self._sandbox = ""

    def show(self, current: Model) -> None:
        """Write changes of state, saves, faults and warnings, and once what the browser is."""
        if current.sandbox and not self._sandbox:
            self._sandbox = current.sandbox
            self.event("browser", version=current.browser_version, sandbox=current.sandbox)
        for warning in current.warnings:
            if warning not in self._warnings:
                self.event("warning", reason=str(warning.reason), message=warning.message)
        if current.state is not self._state:
            self._state = current.state
            account = current.account.masked if current.account else None
            self.event("state", state=str(current.state), account=account)
        if current.fault and current.fault != self._fault:
            self.event("fault", reason=str(current.fault.reason), message=current.fault.message)
        if current.saved and (self._saved is None or current.saved.generation != self._saved.generation):
            saved = current.saved
            self.event("saved", generation=saved.generation, bytes=saved.size, trigger=str(saved.trigger))
        self._saved, self._fault, self._warnings = current.saved, current.fault, current.warnings

    def event(self, name: str, **fields: object) -> None:
        """Write one event."""
        print(json.dumps({"event": name, "time": round(time.time(), 3), **fields}), file=self._stream, flush=True)
