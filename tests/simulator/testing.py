"""Start a simulator beside a test, in a thread with its own event loop, on free ports."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import Iterator

from simulator import app, client, knobs, server, tls

START_S = 60
HEARTBEAT_S = 60.0
"""On a busy machine a browser may answer late and is not gone: tests count its logins."""


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """Hold what a test needs of a running simulator."""

    admin_url: str
    page_port: int
    spki: str
    admin: client.Admin

    def browser_args(self) -> list[str]:
        """Return the switches that show a browser this simulator at the true origin, and nothing else of the world."""
        return browser_args(self.spki, f"127.0.0.1:{self.page_port}")


def browser_args(spki: str, address: str) -> list[str]:
    """Return the switches for a simulator at host:port: every other name fails to resolve."""
    return [
        f"--host-resolver-rules=MAP {tls.ORIGIN_HOST}:443 {address}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--ignore-certificate-errors-spki-list={spki}",
    ]


@contextlib.contextmanager
def running_simulator(options: server.Options | None = None, **settings: object) -> Iterator[Running]:
    """Run a simulator for the length of a with block; further arguments are knobs."""
    chosen = knobs.patched(knobs.Knobs(), settings)
    started = threading.Event()
    outcome: list[app.Ports | BaseException] = []
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def report(ports: app.Ports) -> None:
        outcome.append(ports)
        started.set()

    async def main() -> None:
        ended = asyncio.Event()
        stop.append((asyncio.get_running_loop(), ended))
        await app.serve(options or server.Options(heartbeat_s=HEARTBEAT_S), chosen, report, ended)

    def thread() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # handed to the test's thread
            outcome.append(error)
            started.set()

    running = threading.Thread(target=thread, name="simulator", daemon=True)
    running.start()
    if not started.wait(START_S):
        raise TimeoutError(f"the simulator was not up within {START_S} s")
    first = outcome[0]
    if isinstance(first, BaseException):
        raise first
    try:
        url = f"http://127.0.0.1:{first.admin}"
        yield Running(url, first.page, first.spki, client.Admin(url))
    finally:
        loop, ended = stop[0]
        loop.call_soon_threadsafe(ended.set)
        running.join(START_S)
        if running.is_alive():
            raise TimeoutError("the simulator did not stop")
        if isinstance(outcome[-1], BaseException):
            raise outcome[-1]
