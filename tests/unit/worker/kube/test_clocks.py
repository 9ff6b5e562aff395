"""What a worker writes bears the API server's time, however wrong the clock of its node is."""

import asyncio
import pathlib
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fakes.worker_kube import WorkerKube
from simulator import tls
from whatsapp_session import timestamps
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_session.worker_config import ResourceIdentity
from whatsapp_worker.core import status
from whatsapp_worker.core.state import Problem, State
from whatsapp_worker.kube import lease, status_reporter
from whatsapp_worker.kube.api import ApiServer, Names
from whatsapp_worker.system import watchdog
from whatsapp_worker.system.steady_clock import SteadyClock

DAY = 86400.0
wrong = pytest.mark.parametrize("ahead", [-26 * 3600.0, -3 * DAY, 3 * DAY], ids=lambda seconds: f"{seconds / 3600:+} h")
RESOURCE = ResourceIdentity("c", "bots", "x", "uid", "wa-x", "uid-pod", "node")


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    """An HTTP server that stands where the API would; its answers have a Date header, as every server's."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as running:
        yield running


def clock(ahead: float) -> SteadyClock:
    """Return the clock of a worker whose machine's is wrong."""
    return SteadyClock(lambda: time.time() + ahead)


async def heard(server: TestServer, tmp_path: pathlib.Path, ahead: float) -> SteadyClock:
    """Return such a clock after one request."""
    (tmp_path / "token").write_text("token")
    (tmp_path / "ca.crt").write_bytes(tls.identity().certificate)
    made = clock(ahead)
    async with ApiServer(str(server.make_url("/")), tmp_path, Names("bots", "x"), made) as api:
        await api.get_lease()
    return made


def near(text: str) -> bool:
    """Tell whether a text is about the present time."""
    return abs((timestamps.seconds(text) or 0.0) - time.time()) < 60


@wrong
async def test_the_lease_and_events_bear_the_servers_time(
    server: TestServer, tmp_path: pathlib.Path, ahead: float
) -> None:
    corrected = await heard(server, tmp_path, ahead)
    api = WorkerKube({"metadata": {"namespace": "bots", "name": "wa-x"}, "spec": {}})
    await lease.Holder(api, "me", clock=corrected).acquire(lambda why: None)
    assert near(api.lease["spec"]["renewTime"])
    reporter = status_reporter.StatusReporter(api, RESOURCE, corrected)
    problem = Problem(Reason.STORE_UNAVAILABLE, "no connection", corrected.now())
    reporter.show(State(SessionState.LAUNCHING, corrected.now(), problem=problem))
    await reporter.finish()
    assert near(api.events[0]["lastTimestamp"])
    assert near(api.sessions[0]["lastError"]["time"])


@wrong
async def test_the_state_bears_the_time_of_the_node_as_the_containers_start_does(
    server: TestServer, tmp_path: pathlib.Path, ahead: float
) -> None:
    corrected = await heard(server, tmp_path, ahead)
    told = status.session(State(since=corrected.now()), status.Process("uid-pod"), corrected.ahead)["stateSince"]
    assert abs((timestamps.seconds(told) or 0.0) - (time.time() + ahead)) < 60


async def test_a_holder_that_waits_counts_by_no_wall_clock() -> None:
    """Another's Lease runs out a while after this worker saw it, not by what its renewTime says."""
    for renewed in ("2000-01-01T00:00:00Z", "9999-01-01T00:00:00Z"):
        spec = {"holderIdentity": "other", "renewTime": renewed, "leaseDurationSeconds": 1}
        api = WorkerKube({"metadata": {"namespace": "bots", "name": "wa-x"}, "spec": spec})
        began = watchdog.now()
        async with asyncio.timeout(60):
            await lease.Holder(api, "me", clock=clock(3 * DAY)).acquire(lambda why: None)
        assert watchdog.now() - began >= 1
