"""Serve probes and metrics: alive while the workers of the queues run, ready once all resources are listed."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from whatsapp_operator.errors import UsageError

Check = Callable[[], str | None]
"""Returns the problem as one sentence, None if there is none."""
HUNG_SECONDS = 60.0
"""Seconds. Workers of a queue run every few seconds; each request of a reconciliation ends within 15 s."""
SILENT_SECONDS = 60.0
"""Seconds. The operator asks the API server every 15 s."""


@dataclass(frozen=True, slots=True)
class _Work:
    beats: Callable[[], float]
    dead: Callable[[], Sequence[str]]
    listed: Callable[[], bool]


class Alive:
    """Health of the operator: alive while queues and watches work; ready once all is listed and the server answers.

    An operator that stands by is alive and ready.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """Store the function for the time."""
        self._now = now
        self._work: _Work | None = None
        self._stands_by = False
        self._started = self._answered = now()

    def stands_by(self) -> None:
        """Record that the operator can work, and waits until it leads."""
        self._stands_by = True

    def works(
        self, *, beats: Callable[[], float], dead: Callable[[], Sequence[str]], listed: Callable[[], bool]
    ) -> None:
        """Store functions for the last run of the slowest queue, and the kinds that are no longer watched."""
        self._work = _Work(beats, dead, listed)
        self._started = self._answered = self._now()

    def answered(self) -> None:
        """Record that the API server answered."""
        self._answered = self._now()

    def wrong(self) -> str | None:
        """Return why the operator must be restarted, else None; an outage of the API server is not a reason."""
        if self._work is None:
            return None
        silent = self._now() - max(self._work.beats(), self._started)
        if silent > HUNG_SECONDS:
            return f"no queue has reconciled anything for {silent:.0f} s"
        dead = self._work.dead()
        return f"the watch of {', '.join(dead)} has ended" if dead else None

    def not_ready(self) -> str | None:
        """Return why the operator cannot work now, else None."""
        if self._work is None or not self._work.listed():
            if self._work is None and self._stands_by:
                return None
            return self.wrong() or "the operator has not listed all sessions yet"
        silent = self._now() - self._answered
        away = f"the API server has not answered for {silent:.0f} s" if silent > SILENT_SECONDS else None
        return self.wrong() or away


@asynccontextmanager
async def serving(port: int, alive: Check, ready: Check, metrics: Callable[[], bytes]) -> AsyncIterator[int]:
    """Serve /healthz, /readyz and /metrics until the block ends; yields the IPv4 port (0 selects a free one)."""

    async def numbers(_: web.Request) -> web.StreamResponse:
        return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    application = web.Application()
    routes = [web.get("/healthz", _answer(alive)), web.get("/readyz", _answer(ready)), web.get("/metrics", numbers)]
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
    except OSError as error:
        await runner.cleanup()
        why = os.strerror(error.errno) if error.errno else str(error)
        text = f"the port {port} for probes and metrics cannot be opened: {why}; choose another with --health-port"
        raise UsageError(text) from error
    try:
        # A free port differs between IPv4 and IPv6.
        address = min(runner.addresses, key=len)
        yield int(address[1])
    finally:
        await runner.cleanup()


def _answer(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        wrong = check()
        return web.Response(text=f"{wrong or 'ok'}\n", status=200 if wrong is None else 503)

    return answer
