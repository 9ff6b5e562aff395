"""Show a session in a terminal: the QR code, redrawn at rotation, and one clear line for each change of state."""

import io
import json
import sys
import time
from typing import TextIO

from whatsapp_session.conditions import SessionState
from whatsapp_worker.core import changes
from whatsapp_worker.core.state import ShownCode, State

_SAYS = {
    SessionState.CLAIMING: "claiming the session in the store",
    SessionState.RESTORING: "restoring the profile",
    SessionState.LAUNCHING: "starting the browser",
    SessionState.AWAITING_LINK: "waiting for a phone: WhatsApp > Linked devices > Link a device",
    SessionState.SYNCING: "linked, loading messages",
    SessionState.CONNECTED: "connected",
    SessionState.RECONNECTING: "connection lost, reconnecting",
    SessionState.FROZEN: "browser paused: neither the store nor the Kubernetes API answers",
    SessionState.STOPPING: "stopping: saving, then closing the browser",
    SessionState.LOGGED_OUT: "the phone removed this device",
    SessionState.LINK_EXPIRED: "no phone linked in time",
    SessionState.CONFLICT: "the login was opened in another browser",
    SessionState.SUPERSEDED: "another worker took over the session",
    SessionState.FAILED: "failed",
}


class Terminal:
    """Draw on a text stream; colours and redrawing only where it is a terminal."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._last: State | None = None
        self._drawn = 0

    def show(self, current: State) -> None:
        """Write what is new."""
        last, self._last = self._last, current
        for change in changes.changes(last, current):
            if isinstance(change, changes.ProblemReported) and current.session_state is SessionState.FAILED:
                continue  # the command's last words are about it
            if isinstance(change, changes.QrShown):
                self._draw(change.qr)
            elif line := _line(change):
                self._drawn = 0
                print(f"{time.strftime('%H:%M:%S')}  {line}", file=self._stream, flush=True)

    def _draw(self, shown: ShownCode) -> None:
        import segno  # not for event lines, which are for programs

        picture = io.StringIO()
        segno.make(shown.code, error="l", micro=False).terminal(picture, compact=True, border=2)
        text = picture.getvalue()
        if self._drawn and self._stream.isatty():
            print(f"\x1b[{self._drawn}A\x1b[J", end="", file=self._stream)
        seconds = shown.expires_at - shown.issued_at
        print(f"{text}code {shown.attempt}, valid for about {seconds:.0f} s", file=self._stream, flush=True)
        self._drawn = text.count("\n") + 1


def _line(change: changes.Change) -> str:
    """Return what a terminal says of a change, "" if nothing."""
    match change:
        case changes.StateChanged(_, state, account):
            who = f" as {account.masked}" if account and state is SessionState.CONNECTED else ""
            return _SAYS[state] + who
        case changes.ProblemReported(problem) | changes.WarningRaised(problem):
            return f"! {problem.reason}: {problem.message}"
        case changes.BrowserKnown(version, sandbox):
            return f"browser {version}, sandbox: {sandbox}"
        case changes.PairingCodeShown(pairing_code):
            return f"pairing code: {pairing_code.code}"
        case changes.Progressed(percent):
            return f"  {percent} %"
        case changes.GenerationSaved(saved) if saved.size:
            return f"saved: generation {saved.generation}, {saved.size / 1e6:.1f} MB ({saved.trigger})"
        case _:
            return ""


class EventLines:
    """Print one JSON object a line for each event and each change of state, for scripts.

    The code in a ``qr`` event is there because the user asked for this channel; logs never hold it.
    """

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._last: State | None = None

    def show(self, current: State) -> None:
        """Write changes of state, saves, problems and warnings, and once what the browser is."""
        last, self._last = self._last, current
        for change in changes.changes(last, current):
            match change:
                case changes.StateChanged(_, state, account):
                    self.event("state", state=str(state), account=account.masked if account else None)
                case changes.ProblemReported(problem):
                    self.event("fault", reason=str(problem.reason), message=problem.message)
                case changes.WarningRaised(warning):
                    self.event("warning", reason=str(warning.reason), message=warning.message)
                case changes.BrowserKnown(version, sandbox):
                    self.event("browser", version=version, sandbox=sandbox)
                case changes.GenerationSaved(saved):
                    self.event("saved", generation=saved.generation, bytes=saved.size, trigger=str(saved.trigger))

    def event(self, name: str, **fields: object) -> None:
        """Write one event."""
        print(json.dumps({"event": name, "time": round(time.time(), 3), **fields}), file=self._stream, flush=True)
