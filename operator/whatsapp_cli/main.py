"""Run the plugin ``kubectl-whatsapp`` (hence ``kubectl whatsapp ...``): ``qr`` and ``list``.

Exit codes: 0 succeeded, 1 not found, refused or ended without a link, 2 invalid command line or kubeconfig,
130 interrupted.
"""

import argparse
import io
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import assert_never

import segno

from whatsapp_cli import kube, view
from whatsapp_cli.errors import CliError, NotACodeError, NotFoundError, SilentError
from whatsapp_session import release, untrusted

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 30
_CLEAR = "\x1b[2J\x1b[H"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-n", "--namespace", help="namespace (default: the namespace of the kubeconfig's context)")
    common.add_argument("--context", help="context of the kubeconfig (default: its current context)")
    common.add_argument(
        "--kubeconfig", metavar="FILE", help="path of the kubeconfig (default: KUBECONFIG, else ~/.kube/config)"
    )
    top = argparse.ArgumentParser(
        prog="kubectl-whatsapp",
        description="Link and list WhatsApp Web sessions. Installed on PATH, it runs as `kubectl whatsapp`.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {release.version()}")
    commands = top.add_subparsers(dest="command", required=True)
    about = "show the code to link a phone, and wait until the session is linked"
    detail = (
        "Show the QR code of a session and each new one, or its pairing code, until a phone is linked."
        " If the session stopped waiting or was logged out, request a new link first."
    )
    qr = commands.add_parser("qr", parents=[common], help=about, description=detail)
    qr.add_argument("name", help="name of the WhatsAppSession")
    qr.add_argument("--once", action="store_true", help="show one code and exit without waiting for the link")
    qr.add_argument("--text", action="store_true", help="print the text of the QR code instead of drawing it")
    qr.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="time after which the command gives up (default: no limit)"
    )
    about = "list sessions with phase, account and pod"
    listing = commands.add_parser("list", parents=[common], help=about, description=f"{about.capitalize()}.")
    listing.add_argument("-A", "--all-namespaces", action="store_true", help="list the sessions of all namespaces")
    return top


def draw(code: str) -> str:
    """Return a QR code as half-block characters with its quiet zone; raises NotACodeError if the text is too long."""
    out = io.StringIO()
    try:
        segno.make(code, error="l", micro=False).terminal(out=out, compact=True, border=2)
    except segno.DataOverflowError as error:
        raise NotACodeError(
            f"the code in the session's status has {len(code)} characters, more than a QR code can hold: it did"
            " not come from WhatsApp; see the log of the worker pod"
        ) from error
    return out.getvalue()


class QrCommand:
    """Poll one session and draw each new code until a phone is linked."""

    def __init__(self, sessions: kube.Sessions, arguments: argparse.Namespace, write: Callable[[str], None]) -> None:
        self._sessions = sessions
        self._arguments = arguments
        self._write = write
        self._shown: str | None = None
        self._asked = False
        self._answered = False
        self._silent_since: datetime | None = None

    def run(self, clock: Callable[[], datetime], sleep: Callable[[float], None]) -> int:
        """Poll until linked, ended or timed out; returns the exit code."""
        started = clock()
        while True:
            now = clock()
            done = self._poll(now)
            if done is not None:
                return done
            limit = self._arguments.timeout
            if limit is not None and (now - started).total_seconds() >= limit:
                self._write("no phone linked the session within --timeout; run the command again\n")
                return 1
            sleep(POLL_SECONDS)

    def _poll(self, now: datetime) -> int | None:
        try:
            resource = self._sessions.get(self._arguments.name)
            self._answered = True
            done = self._show(view.screen(resource, now), now)
        except SilentError as error:
            self._tolerate_outage(error, now)
            return None
        self._silent_since = None
        return done

    def _tolerate_outage(self, error: SilentError, now: datetime) -> None:
        """Report once that the server does not answer; raise the error if it never answered or the outage lasts."""
        if not self._answered:
            raise error
        if self._silent_since is None:
            self._silent_since = now
            _print_error(f"{error}; retrying for {PATIENCE_SECONDS} s")
        elif (now - self._silent_since).total_seconds() >= PATIENCE_SECONDS:
            raise error

    def _show(self, screen: view.Screen, now: datetime) -> int | None:
        match screen:
            case view.DrawCode():
                written = self._write_code(screen) if self._new(screen.code) else True
                return (0 if written else 1) if self._arguments.once else None
            case view.ShowPairingCode():
                if self._new(screen.code):
                    self._write(f"On the phone: Linked devices > Link with phone number; type {screen.code}\n")
                return 0 if self._arguments.once else None
            case view.Wait():
                if self._new(screen.why):
                    self._write(f"{screen.why}\n")
                return None
            case view.Linked():
                self._write(f"{self._arguments.name} is linked (account {screen.account})\n")
                return 0
            case view.Expired():
                self._relink(screen, now)
                return None
            case view.Ended():
                self._write(f"{screen.message}\n")
                return 1
            case _:
                assert_never(screen)

    def _relink(self, screen: view.Expired, now: datetime) -> None:
        if self._asked:
            return
        self._sessions.request(self._arguments.name, "relink", now)
        self._asked = True
        self._write(f"{screen.why}\nrequested a new code\n")

    def _new(self, text: str) -> bool:
        changed = text != self._shown
        self._shown = text
        return changed

    def _write_code(self, screen: view.DrawCode) -> bool:
        """Write the code, or the reason why it cannot be drawn; returns whether the code was written."""
        if self._arguments.text:
            self._write(f"{screen.code}\n")
            return True
        try:
            drawn = draw(screen.code)
        except NotACodeError as error:
            self._write(f"{error}\n")
            return False
        clear = _CLEAR if sys.stdout.isatty() else ""
        self._write(
            f"{clear}{drawn}\n{self._arguments.name}: {screen.caption}\nOn the phone: Linked devices > Link a device\n"
        )
        return True


def _write(text: str) -> None:
    """Write to the terminal; characters that its encoding lacks, such as those of a name, are written as escapes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stdout.write(text)
    sys.stdout.flush()


def _print_error(sentence: object) -> None:
    sys.stderr.write(f"kubectl-whatsapp: {untrusted.printable(str(sentence))}\n")


def _list(sessions: kube.Sessions, arguments: argparse.Namespace) -> int:
    namespace = None if arguments.all_namespaces else sessions.namespace
    found = sessions.list(namespace)
    if not found:
        where = "any namespace" if namespace is None else f"namespace {namespace}"
        raise NotFoundError(f"there are no sessions in {where}")
    _write(view.table(found, datetime.now(UTC)) + "\n")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = parser().parse_args(argv)
    try:
        sessions = kube.ClusterSessions(kube.Target(arguments.kubeconfig, arguments.context, arguments.namespace))
        if arguments.command == "list":
            return _list(sessions, arguments)
        return QrCommand(sessions, arguments, _write).run(lambda: datetime.now(UTC), time.sleep)
    except CliError as error:
        _print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
