"""Record what `kubectl whatsapp qr` shows, with the real command and a real API server, and draw it as `qr.svg`.

The code is made of random bytes in the form of WhatsApp's codes. It belongs to nobody and links nothing.
"""

import base64
import fcntl
import json
import os
import pathlib
import pty
import re
import secrets
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from xml.sax.saxutils import escape

from deploy.local.native import control_plane
from whatsapp_session import names
from whatsapp_session.conditions import Phase, SessionState
from whatsapp_session.timestamps import rfc3339

PICTURE: Final = pathlib.Path(__file__).with_name("qr.svg")
MANIFESTS: Final = PICTURE.parents[1] / "install.yaml"
NAMESPACE, SESSION = "bots", "support"
COMMAND: Final = ("kubectl", "whatsapp", "qr", SESSION, "-n", NAMESPACE)
PATIENCE_SECONDS: Final = 60.0
_ROWS, _COLUMNS = 60, 100
_WIDTH, _HEIGHT, _MARGIN = 8, 16, 16
"""Of one character and around all of them. Twice as high as wide, so that the modules of a code are squares."""
_NOTE: Final = "Recorded by `make picture`. The code is made of random bytes: it belongs to nobody and links nothing."
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CLEARED: Final = "\x1b[2J"

Manifest = dict[str, Any]


def random_code() -> str:
    """Return five parts like those of WhatsApp's codes: a reference, three keys and a platform, all of them random."""
    reference, *keys = (base64.b64encode(secrets.token_bytes(size)).decode() for size in (48, 32, 32, 32))
    return ",".join((f"2@{reference}", *keys, "1"))


def record(plane: control_plane.ControlPlane, code: str) -> str:
    """Return what the terminal shows in the end: the code, and that a phone has linked the session."""
    kubectl = [str(plane.kubectl), "--kubeconfig", str(plane.kubeconfig)]
    head: Manifest = {"apiVersion": names.API_VERSION, "kind": names.SESSION_KIND}
    metadata = {"name": SESSION, "namespace": NAMESPACE}
    for made in (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {**head, "metadata": metadata, "spec": {}},
    ):
        subprocess.run([*kubectl, "apply", "-f", "-"], input=json.dumps(made), text=True, check=True)

    def patch(phase: Phase, **session: object) -> None:
        body = json.dumps({"status": {"phase": str(phase), "session": session}})
        patching = ["patch", "was", SESSION, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", body]
        subprocess.run([*kubectl, *patching], check=True)

    now = datetime.now(UTC)
    times = {"issuedAt": rfc3339(now), "expiresAt": rfc3339(now + timedelta(seconds=60))}
    patch(Phase.AWAITING_LINK, state=str(SessionState.AWAITING_LINK), qr={"code": code, "attempt": 1, **times})

    def link() -> None:
        account = {"id": "49***90@c.us"}
        patch(Phase.CONNECTED, state=str(SessionState.CONNECTED), account=account, qr=None)

    plugins = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": plugins, "KUBECONFIG": str(plane.kubeconfig), "TERM": "xterm-256color"}
    return shown([str(plane.kubectl), *COMMAND[1:]], environment, "Link a device", link)


def shown(command: list[str], environment: dict[str, str], until: str, then: Callable[[], None]) -> str:
    """Run a command in a terminal, call ``then`` when it has written ``until``, and return its last screen."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    process = subprocess.Popen(command, env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    written, called = b"", False
    try:
        for piece in _pieces(master, time.monotonic() + PATIENCE_SECONDS):
            written += piece
            if not called and until.encode() in written:
                called = True
                then()
        if process.wait(PATIENCE_SECONDS) != 0:
            raise RuntimeError(f"{' '.join(COMMAND)} ended with code {process.returncode}")
    finally:
        process.kill()
        process.wait()
        os.close(master)
    return screen(written.decode())


def screen(written: str) -> str:
    """Return what stays on a terminal: what follows the last time that it was cleared."""
    return _ESCAPES.sub("", written.rpartition(_CLEARED)[2]).replace("\r\n", "\n").strip("\n")


def _pieces(master: int, deadline: float) -> Iterator[bytes]:
    while select.select([master], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux's word for the end of a terminal whose last program has ended
            return
        if not piece:
            return
        yield piece
    raise TimeoutError(f"{' '.join(COMMAND)} did not end in {PATIENCE_SECONDS:.0f} s")


def svg(text: str) -> str:
    """Return a terminal with these lines; blocks are drawn as areas, so that no font leaves gaps in a code."""
    lines = text.split("\n")
    width = max(len(line) for line in lines) * _WIDTH + 2 * _MARGIN
    height = len(lines) * _HEIGHT + 2 * _MARGIN
    areas = "".join(area for row, line in enumerate(lines) for area in _areas(row, line))
    words = [word for row, line in enumerate(lines) for word in _words(row, line)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width * 5 // 8}">',
            f"<!-- {_NOTE} -->",
            f"<title>A terminal that shows `{' '.join(COMMAND)}`</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
            f'<path fill="#f0f6fc" shape-rendering="crispEdges" d="{areas}"/>',
            '<g fill="#f0f6fc" font-family="ui-monospace, monospace" font-size="13" xml:space="preserve">',
            *words,
            "</g>",
            "</svg>\n",
        )
    )


def _areas(row: int, line: str) -> Iterator[str]:
    """Yield the parts of a path that fill the blocks of a line, each run of them at once."""
    for half, blocks in enumerate(("█▀", "█▄")):
        for run in re.finditer(f"[{blocks}]+", line):
            x, y = _MARGIN + run.start() * _WIDTH, _MARGIN + row * _HEIGHT + half * _HEIGHT // 2
            yield f"M{x} {y}h{len(run[0]) * _WIDTH}v{_HEIGHT // 2}h-{len(run[0]) * _WIDTH}z"


def _words(row: int, line: str) -> Iterator[str]:
    if re.search("[█▀▄]", line) or not line.strip():
        return
    y = _MARGIN + row * _HEIGHT + _HEIGHT * 3 // 4
    yield f'<text x="{_MARGIN}" y="{y}" textLength="{len(line) * _WIDTH}">{escape(line)}</text>'


def main() -> None:
    """Record the picture again."""
    with tempfile.TemporaryDirectory() as directory, control_plane.running(pathlib.Path(directory)) as plane:
        kubectl = [str(plane.kubectl), "--kubeconfig", str(plane.kubeconfig)]
        subprocess.run([*kubectl, "apply", "--server-side", "-f", str(MANIFESTS)], check=True)
        subprocess.run([*kubectl, "wait", "--for=condition=Established", "crd", "--all"], check=True)
        last_screen = record(plane, random_code())
    PICTURE.write_text(svg(f"$ {' '.join(COMMAND)}\n\n{last_screen}"))


if __name__ == "__main__":
    main()
