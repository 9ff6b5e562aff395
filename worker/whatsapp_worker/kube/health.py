"""Answer /healthz, /readyz and /metrics. The only user of aiohttp's server and of prometheus-client."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

import prometheus_client
from aiohttp import web
from prometheus_client import core

from whatsapp_session.conditions import SessionState
from whatsapp_worker.core.state import State

LIVE_WITHIN = 30.0
"""Seconds since the loop last came round; a slow sync or a large restore does not stop it."""


class Subject(Protocol):
    """What health is asked about."""

    @property
    def current(self) -> State:
        """The newest state."""

    @property
    def beat(self) -> float:
        """Monotonic time of the loop's last round, 0 before it runs."""


class Collector:
    """Turn the machine's state into metrics; no label ever holds an account or a code."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def collect(self) -> Iterator[core.Metric]:
        """Yield the metrics of this moment."""
        current = self._subject.current
        state = core.GaugeMetricFamily("whatsapp_session_state", "1 for the session's state", labels=["state"])
        for name in SessionState:
            state.add_metric([str(name)], float(current.session_state is name))
        yield state
        saved = current.saving.saved
        values = {
            "whatsapp_session_saved_time_seconds": ("Time of the latest save", saved.time if saved else 0),
            "whatsapp_session_archive_bytes": ("Size of the latest archive", saved.size if saved else 0),
            "whatsapp_session_saved_generation": ("Number of the latest generation", saved.generation if saved else 0),
            "whatsapp_session_save_failures": ("Saves that failed in a row", current.saving.failures),
            "whatsapp_session_memory_bytes": ("Memory of the worker and its browser", current.usage.memory),
            "whatsapp_session_browser_restarts": ("Restarts of the browser in a row", current.browser.restarts),
        }
        for name_, (text, value) in values.items():
            yield core.GaugeMetricFamily(name_, text, value=float(value))
        text = "Transitions of the session's state that the worker's table does not list"
        yield core.CounterMetricFamily("whatsapp_worker_unexpected_transitions", text, value=current.unlisted.count)


def application(subject: Callable[[], Subject | None]) -> web.Application:
    """Return the web application; ``subject`` is None while the Lease is awaited, which is healthy."""
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)

    async def healthz(_: web.Request) -> web.Response:
        found = subject()
        if found is None or not found.beat or time.monotonic() - found.beat < LIVE_WITHIN:
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the worker's loop does not respond\n")

    async def readyz(_: web.Request) -> web.Response:
        found = subject()
        ready = found is not None and found.current.session_state in _READY
        return web.Response(status=200 if ready else 503, text="ok\n" if ready else "not yet\n")

    async def metrics(_: web.Request) -> web.Response:
        text = prometheus_client.generate_latest(registry)
        found = subject()
        if found is not None:
            own = prometheus_client.CollectorRegistry()
            own.register(Collector(found))
            text += prometheus_client.generate_latest(own)
        return web.Response(body=text, headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


_READY = (
    SessionState.AWAITING_LINK,
    SessionState.SYNCING,
    SessionState.CONNECTED,
    SessionState.RECONNECTING,
    SessionState.CONFLICT,
    SessionState.FROZEN,
)


@contextlib.asynccontextmanager
async def served(port: int | None, subject: Callable[[], Subject | None]) -> AsyncIterator[None]:
    """Serve on all addresses while the block runs; without a port nothing is served."""
    if port is None:
        yield
        return
    runner = web.AppRunner(application(subject), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    try:
        yield
    finally:
        await runner.cleanup()
