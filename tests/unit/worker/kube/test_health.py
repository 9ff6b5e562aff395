"""Health, readiness, metrics, and the requests to the API: what goes over the wire."""

import contextlib
import errno
import json
import pathlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from scenes.ports import free_port
from simulator import tls
from whatsapp_kube.errors import KubeError
from whatsapp_session.conditions import SessionState
from whatsapp_worker.core import page_events
from whatsapp_worker.core.state import Codes, Login, Saved, Saving, ShownCode, State, Unlisted
from whatsapp_worker.kube import health
from whatsapp_worker.kube.api import ApiServer, Names, in_cluster
from whatsapp_worker.system.steady_clock import SteadyClock


@dataclass
class Subject:
    current: State = field(default_factory=State)
    beat: float = 0.0


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Give a port that is ours, so that nobody else takes it, and on which nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


async def ask(subject: Subject | None, path: str, tries: int = 3) -> tuple[int, str]:
    port = free_port()
    try:
        async with (
            health.served(port, lambda: subject),
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{port}{path}") as answer,
        ):
            return answer.status, await answer.text()
    except OSError as error:
        if error.errno != errno.EADDRINUSE or tries == 1:
            raise
    return await ask(subject, path, tries - 1)  # somebody took the port after our look


async def test_a_worker_that_waits_for_its_lease_is_alive_and_not_ready() -> None:
    assert (await ask(None, "/healthz"))[0] == 200
    assert (await ask(None, "/readyz"))[0] == 503


@pytest.mark.parametrize(("age", "status"), [(1.0, 200), (health.LIVE_WITHIN + 1, 503)])
async def test_alive_is_a_loop_that_comes_round(age: float, status: int) -> None:
    assert (await ask(Subject(beat=time.monotonic() - age), "/healthz"))[0] == status


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (SessionState.RESTORING, 503),
        (SessionState.AWAITING_LINK, 200),
        (SessionState.SYNCING, 200),
        (SessionState.CONNECTED, 200),
        (SessionState.RECONNECTING, 200),
        (SessionState.STOPPING, 503),
    ],
)
async def test_ready_is_what_pacing_counts(state: SessionState, status: int) -> None:
    assert (await ask(Subject(State(state)), "/readyz"))[0] == status


async def test_metrics_tell_state_and_saves_and_never_who_or_a_code() -> None:
    shown = State(
        SessionState.CONNECTED,
        login=Login(page_events.Account("4915112345678@c.us", "Support", "android")),
        codes=Codes(ShownCode("2@secret")),
        saving=Saving(Saved(7, 1000.0, 2048, "digest", "Interval"), failures=2),
    )
    status, text = await ask(Subject(shown), "/metrics")
    assert status == 200
    assert 'whatsapp_session_state{state="Connected"} 1.0' in text
    assert 'whatsapp_session_state{state="AwaitingLink"} 0.0' in text
    assert "whatsapp_session_saved_generation 7.0" in text
    assert "whatsapp_session_archive_bytes 2048.0" in text
    assert "whatsapp_session_save_failures 2.0" in text
    for secret in ("4915112345678", "Support", "2@secret"):
        assert secret not in text
    text = (await ask(Subject(replace(shown, saving=Saving())), "/metrics"))[1]
    assert "whatsapp_session_saved_generation 0.0" in text


async def test_unexpected_transitions_are_counted_from_zero() -> None:
    for count in (0, 3):
        unlisted = Unlisted(count, SessionState.CONNECTED, SessionState.AWAITING_LINK)
        text = (await ask(Subject(State(unlisted=unlisted)), "/metrics"))[1]
        assert f"whatsapp_worker_unexpected_transitions_total {float(count)}" in text


class Api:
    """An HTTP server that stands where the API would; it remembers requests and answers what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str, str, object]] = []
        self.status = 200
        self.body: object = {}

    async def answer(self, request: web.Request) -> web.Response:
        content = json.loads(await request.text() or "null")
        headers = request.headers
        self.seen.append((request.method, request.path_qs, headers["Authorization"], headers["Content-Type"], content))
        return web.json_response(self.body, status=self.status)


@pytest.fixture
async def api() -> AsyncIterator[tuple[Api, TestServer]]:
    remembered = Api()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", remembered.answer)
    server = TestServer(app)
    await server.start_server()
    yield remembered, server
    await server.close()


def account(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_bytes(tls.identity().certificate)
    return tmp_path


OWN = Names("bots", "support")


async def test_the_token_is_read_again_at_each_use(api: tuple[Api, TestServer], tmp_path: pathlib.Path) -> None:
    remembered, server = api
    async with ApiServer(str(server.make_url("/")), account(tmp_path), OWN, SteadyClock()) as client:
        await client.get_lease()
        (tmp_path / "token").write_text("second")
        await client.get_lease()
    assert [seen[2] for seen in remembered.seen] == ["Bearer first", "Bearer second"]
    assert "first" not in repr(client)


async def test_the_four_requests_go_to_the_sessions_own_objects(
    api: tuple[Api, TestServer], tmp_path: pathlib.Path
) -> None:
    remembered, server = api
    async with ApiServer(str(server.make_url("/")), account(tmp_path), OWN, SteadyClock()) as client:
        await client.get_lease()
        await client.put_lease({"kind": "Lease", "metadata": {"namespace": "bots", "name": "wa-support"}})
        await client.apply_session({"state": "Connected"})
        await client.create_event({"kind": "Event", "metadata": {"namespace": "bots", "name": "support.1"}})
    lease = "/apis/coordination.k8s.io/v1/namespaces/bots/leases/wa-support"
    session = "/apis/whatsapp-operator.dev/v1alpha1/namespaces/bots/whatsappsessions/support/status"
    assert [(method, path, kind) for method, path, _, kind, _ in remembered.seen] == [
        ("GET", lease, "application/json"),
        ("PUT", lease, "application/json"),
        ("PATCH", f"{session}?fieldManager=whatsapp-worker&force=true", "application/apply-patch+yaml"),
        ("POST", "/api/v1/namespaces/bots/events", "application/json"),
    ]
    assert remembered.seen[2][4] == {
        "apiVersion": "whatsapp-operator.dev/v1alpha1",
        "kind": "WhatsAppSession",
        "metadata": {"name": "support", "namespace": "bots"},
        "status": {"session": {"state": "Connected"}},
    }


async def test_a_refusal_has_its_code_and_message(api: tuple[Api, TestServer], tmp_path: pathlib.Path) -> None:
    remembered, server = api
    remembered.status, remembered.body = 403, {"message": "retry shortly"}
    async with ApiServer(str(server.make_url("/")), account(tmp_path), OWN, SteadyClock()) as client:
        with pytest.raises(KubeError, match="retry shortly") as refused:
            await client.get_lease()
    assert refused.value.status == 403


async def test_silence_is_no_refusal(tmp_path: pathlib.Path) -> None:
    with silent_port() as port:
        async with ApiServer(f"http://127.0.0.1:{port}", account(tmp_path), OWN, SteadyClock()) as client:
            with pytest.raises(KubeError, match="did not answer") as silent:
                await client.get_lease()
    assert silent.value.status == 0


def test_outside_of_a_cluster_there_is_no_api() -> None:
    with pytest.raises(Exception, match="KUBERNETES_SERVICE_HOST"):
        in_cluster({}, OWN, SteadyClock())
