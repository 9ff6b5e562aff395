"""Answer the probes and Prometheus: alive while the queue's workers have their turn, ready once all is listed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Check = Callable[[], str | None]
"""Returns what is wrong in a sentence, None when nothing is."""


@asynccontextmanager
async def serving(port: int, alive: Check, ready: Check, metrics: Callable[[], bytes]) -> AsyncIterator[int]:
    """Serve /healthz, /readyz and /metrics until the block ends; yields the port (0 asks for a free one)."""

    async def numbers(_: web.Request) -> web.StreamResponse:
        return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    application = web.Application()
    routes = [web.get("/healthz", _answer(alive)), web.get("/readyz", _answer(ready)), web.get("/metrics", numbers)]
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, port=port)
    await site.start()
    try:
        address = runner.addresses[0]
        yield int(address[1])
    finally:
        await runner.cleanup()


def _answer(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        wrong = check()
        return web.Response(text=f"{wrong or 'ok'}\n", status=200 if wrong is None else 503)

    return answer
