"""The simulator as a process: many sessions at once, its HTTP API, its command line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator

import aiohttp
import psutil
import pytest

from simulator import client, knobs, tls
from simulator.bare import BarePage
from simulator.testing import Running, running_simulator

SESSIONS = 200
MEGABYTE = 1 << 20
TESTS = pathlib.Path(__file__).parents[1]


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[tuple[Running, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "simulator", "--page-port", "0", "--admin-port", "0", *arguments]
    started = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    with started.stdout:
        try:
            ports = json.loads(started.stdout.readline())
            url = f"http://127.0.0.1:{ports['admin']}"
            yield Running(url, ports["page"], ports["spki"], client.Admin(url)), started
        finally:
            started.send_signal(signal.SIGTERM)
            assert started.wait(60) == 0


class Socket:
    """Keep one bare page on line."""

    def __init__(self, session: aiohttp.ClientSession, port: int, page: BarePage) -> None:
        self.page = page
        self.shows_code = asyncio.Event()
        self._session = session
        self._url = f"wss://127.0.0.1:{port}/socket"

    async def run(self) -> None:
        """Answer until the server ends it; come back once linked, as the page does."""
        while True:
            async with self._session.ws_connect(self._url, ssl=TRUSTING) as socket:
                async for message in socket:
                    for words in self.page.hear(json.loads(message.data)):
                        await socket.send_json(words)
                        if words["type"] == "paired":
                            await socket.close()
                    if self.page.refs:
                        self.shows_code.set()


TRUSTING = ssl.create_default_context()
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


async def until(what: str, sim: Running, predicate: Callable[[list[client.Device]], bool]) -> None:
    await asyncio.to_thread(sim.admin.wait_for, what, predicate, 120)


async def test_two_hundred_sessions_at_once_stay_within_a_hundred_megabytes() -> None:
    with process() as (sim, started):
        before = psutil.Process(started.pid).memory_info().rss
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
            asyncio.TaskGroup() as all_,
        ):
            sockets = [Socket(session, sim.page_port, BarePage(run=f"run{number}")) for number in range(SESSIONS)]
            tasks = [all_.create_task(socket.run()) for socket in sockets]
            for number, socket in enumerate(sockets):
                await asyncio.wait_for(socket.shows_code.wait(), 120)
                await asyncio.to_thread(sim.admin.scan, f"phone{number}", socket.page.qr())
            await until("all to be on line", sim, lambda ds: sum(d.online and d.synced for d in ds) == SESSIONS)
            for round_ in range(3):
                for number in range(SESSIONS):
                    await asyncio.to_thread(sim.admin.write, f"phone{number}", "4917", f"hello {round_}")
            await until("all to have acknowledged", sim, lambda ds: all(d.step == 4 for d in ds))
            grown = psutil.Process(started.pid).memory_info().rss - before
            devices = await asyncio.to_thread(sim.admin.devices)
            for task in tasks:
                task.cancel()
        assert grown < 100 * MEGABYTE
        assert len(devices) == SESSIONS
        assert not [d for d in devices if d.rollbacks or d.two_browsers or d.undelivered]


def test_the_key_of_a_seed_is_the_same_at_every_start() -> None:
    assert tls.identity(seed="demo").spki == tls.identity(seed="demo").spki
    assert tls.identity(seed="demo").spki != tls.identity(seed="other").spki
    with process("--key-seed", "demo") as (sim, _):
        assert sim.spki == sim.admin.tls().spki == tls.identity(seed="demo").spki


def test_knobs_come_from_the_command_line_and_a_wrong_one_is_refused() -> None:
    with process("--knob", "rollback_policy=logout", "--knob", "sync_bytes=100") as (sim, _):
        page = urllib.request.urlopen(f"{sim.admin_url}/api/knobs")
        with page:
            seen = json.load(page)
        assert (seen["rollback_policy"], seen["sync_bytes"]) == ("logout", 100)
    wrong = subprocess.run(
        [sys.executable, "-m", "simulator", "--knob", "sinc=1"], cwd=TESTS, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert "no knob 'sinc'" in wrong.stdout


def test_the_start_page_of_the_api_names_every_knob_and_route() -> None:
    with running_simulator() as sim, urllib.request.urlopen(sim.admin_url) as page:
        text = page.read().decode()
    assert [name for name in knobs.as_json(knobs.Knobs()) if f'"{name}"' not in text] == []
    for route in ("scan", "code", "messages", "logout", "takeover", "drop", "verify", "crash", "network", "site"):
        assert route in text


@pytest.mark.parametrize(
    ("call", "status", "reason"),
    [
        (lambda admin: admin.logout("4915:9"), 404, "unknown_device"),
        (lambda admin: admin.scan("alice", "not a code"), 409, "no_qr_code"),
        (lambda admin: admin.enter_code("alice", "12345678"), 409, "unknown_code"),
        (lambda admin: admin.set_knobs(sync_bytes="much"), 400, "bad_request"),
        (lambda admin: admin.verify("4915:9"), 404, "unknown_device"),
    ],
    ids=["no such device", "no QR code", "no such code", "bad knob", "no such page"],
)
def test_a_bad_call_is_refused_with_a_reason(call: Callable[[client.Admin], object], status: int, reason: str) -> None:
    with running_simulator() as sim, pytest.raises(client.RefusedError) as caught:
        call(sim.admin)
    assert (caught.value.status, caught.value.reason) == (status, reason)


def test_a_site_that_is_down_refuses_connections_and_comes_back_on_its_port() -> None:
    with running_simulator() as sim:
        url = f"https://127.0.0.1:{sim.page_port}/"
        sim.admin.set_site(False)
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(url, context=TRUSTING)
        sim.admin.set_site(True)
        with urllib.request.urlopen(url, context=TRUSTING) as page:
            assert b"main.js" in page.read()


def test_a_reset_forgets_phones_and_sets_the_initial_knobs() -> None:
    with running_simulator(sync_bytes=1000) as sim:
        sim.admin.set_knobs(sync_bytes=5)
        sim.admin.describe_phone("alice")
        sim.admin.reset()
        assert sim.admin.state()["phones"] == []
        with urllib.request.urlopen(f"{sim.admin_url}/api/knobs") as page:
            assert json.load(page)["sync_bytes"] == 1000


def test_what_was_waited_for_in_vain_is_named() -> None:
    with running_simulator() as sim, pytest.raises(client.WaitedInVainError, match=r"waited 0\.1 s for a miracle"):
        sim.admin.wait_for("a miracle", lambda _: False, seconds=0.1)
