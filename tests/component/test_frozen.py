"""Two witnesses: a browser stands still in time when nobody says any more that the session is its worker's."""

import asyncio
import signal
from collections.abc import Callable

import psutil
import pytest

from component import processes
from component.workers import Home, wait
from whatsapp_session.conditions import SessionState
from whatsapp_worker import Client, Options, RemoteAuth
from whatsapp_worker.repository import fencing
from whatsapp_worker.runtime import runner


def stand_still(browsers: list[psutil.Process]) -> bool:
    """Tell whether every one of these processes is stopped or gone."""
    return set(processes.states(browsers)) <= {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}


async def until(predicate: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(wait, predicate, what)


async def test_a_browser_whose_only_witness_is_silent_stands_still_and_goes_on_afterwards(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A minute is too long for a test; this is still longer than the store is silent for on a busy machine.
    monkeypatch.setattr(fencing, "POLL_SECONDS", 20)
    monkeypatch.setattr(runner, "WATCH", 0.5)
    home.root.mkdir(parents=True, exist_ok=True)
    remote = RemoteAuth(f"file:{home.store}", home.client_id, home.data)
    client = Client(auth=remote, options=Options(browser_args=tuple(home.simulator.browser_args())))
    saved, devices = asyncio.Event(), list[str]()

    @client.on("qr")
    async def scan(code: str) -> None:
        device = await asyncio.to_thread(home.simulator.admin.scan, "alice", code)
        assert device is not None
        devices.append(device)

    client.on("remote_session_saved", saved.set)
    client.start()
    async with asyncio.timeout(300):
        await saved.wait()
        browsers, away = home.browsers(), home.root / "away"
        home.store.rename(away)
        home.store.write_text("an unreachable store")
        await until(lambda: client.state is SessionState.FROZEN, "the state Frozen")
        await until(lambda: stand_still(browsers), "the browser to stand still")
        home.store.unlink()
        away.rename(home.store)
        await until(lambda: client.state is SessionState.CONNECTED, "the state Connected")
        await until(lambda: home.simulator.admin.device(devices[0]).online, "the page to be on line")
        await asyncio.to_thread(home.assert_whole, devices[0])
        await client.destroy()
    assert home.kinds()[-1] == "release"
    assert not home.browsers()


@pytest.mark.soak
def test_the_browser_of_a_worker_that_hangs_stands_still_before_another_takes_over(home: Home) -> None:
    worker, device = home.linked()
    browsers = home.browsers()
    worker.signal(signal.SIGSTOP)
    assert not stand_still(browsers)
    taking = home.start("--take-over", data=home.root / "elsewhere")
    taking.wait("state", state="Launching", seconds=240)
    assert stand_still(browsers), "the watchdog does not need the worker"
    taking.wait("ready")
    worker.signal(signal.SIGCONT)
    ended = worker.wait("ended")
    assert (ended["code"], ended["reason"]) == (0, "Superseded")
    wait(lambda: not processes.running(browsers), "the old browser to be gone")
    home.assert_whole(device)
