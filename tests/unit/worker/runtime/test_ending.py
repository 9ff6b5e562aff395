"""How a client ends: what its listeners do must cost neither the last save nor a clean close."""

import asyncio
import logging
import os
from dataclasses import replace

import pytest

from fakes.browser import FakeBrowsers
from fakes.strategy import FakeStrategy
from scenes.worker.machine_story import ALICE, SAVED, S, facts
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker import Client, auth, client_options
from whatsapp_worker.browser import driver
from whatsapp_worker.core import events, stopping
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import State
from whatsapp_worker.runtime import executor, listeners, runner


class Entered:
    """A reporter that waits for a state to be entered."""

    def __init__(self, state: SessionState) -> None:
        self.state, self.seen = state, asyncio.Event()

    def show(self, current: State) -> None:
        if current.session_state is self.state:
            self.seen.set()


@pytest.fixture(autouse=True)
def without_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    browsers = FakeBrowsers(facts(S.CONNECTED, ALICE, True))
    monkeypatch.setattr(client_options.chromium, "Chromium", lambda _, heard, gone, early: browsers(heard, gone))
    monkeypatch.setattr(driver.EarlyDriver, "begin", lambda *_: None)


async def test_a_listener_that_ends_the_client_and_waits_for_it_costs_neither_the_last_save_nor_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listeners, "PATIENCE", 3600.0)
    strategy, done = FakeStrategy(SAVED), []
    made = Client(auth=strategy)

    @made.on("remote_session_saved")
    async def leave() -> None:
        await made.destroy()
        done.append("after")

    async with asyncio.timeout(60):
        outcome = await made.run()
    assert outcome.code is ExitCode.DONE
    assert strategy.closed_for == [ALICE], "saved and closed"
    assert done == ["after"]


async def test_whoever_waits_for_the_end_can_be_cancelled() -> None:
    strategy = FakeStrategy(SAVED)
    strategy.uploads.clear()
    made = Client(auth=strategy)
    made.start()
    await strategy.saving.wait()
    waiting = asyncio.create_task(made.destroy())
    await asyncio.sleep(0)
    waiting.cancel()
    (done, _) = await asyncio.wait({waiting}, timeout=60)
    assert done, "the last save still waits"
    assert waiting.cancelled()
    strategy.uploads.set()
    await made.destroy()


async def test_a_listener_that_never_ends_is_given_up_after_the_last_save(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "PATIENCE", 0.02)
    strategy, heard = FakeStrategy(SAVED), []
    made = Client(auth=strategy)
    let_go = asyncio.Event()

    @made.on("authenticated")
    async def hang() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                heard.append("cancelled")

    made.on("ready", lambda: heard.append("ready"))
    made.start()
    await strategy.saving.wait()
    async with asyncio.timeout(60):
        await made.destroy()
    let_go.set()
    assert strategy.closed_for == [ALICE]
    assert heard[0] == "cancelled"
    assert "ready" in heard, "the rest is told"


async def test_a_first_save_that_ends_after_the_stop_is_announced() -> None:
    strategy, heard = FakeStrategy(SAVED), []
    strategy.uploads.clear()
    heard_stop = Entered(SessionState.STOPPING)
    made = Client(auth=strategy, reporters=(heard_stop,))
    made.on("remote_session_saved", lambda: heard.append("saved"))
    made.start()
    await strategy.saving.wait()
    ending = asyncio.create_task(made.destroy())
    await heard_stop.seen.wait()
    strategy.uploads.set()
    await ending
    assert heard == ["saved"]
    assert not made.current.saving.running


async def test_a_listeners_exception_is_told_by_its_class_only(caplog: pytest.LogCaptureFixture) -> None:
    made = Client(auth=FakeStrategy(SAVED))

    @made.on("ready")
    def post() -> None:
        raise ConnectionError("https://bot.example/?code=2@secret")

    made.on("remote_session_saved", made.stop)
    with caplog.at_level(logging.ERROR):
        await made.run()
    assert "ready" in caplog.text
    assert "ConnectionError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_first_sync_that_outlasts_the_grace_period_is_ended_and_says_what_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stopping, "PATIENCE", 0.01)
    never = FakeBrowsers(facts(S.CONNECTED, None, False))
    monkeypatch.setattr(client_options.chromium, "Chromium", lambda _, heard, gone, early: never(heard, gone))
    entered = Entered(SessionState.SYNCING)
    made = Client(auth=FakeStrategy(), reporters=(entered,))
    made.start()
    await entered.seen.wait()
    async with asyncio.timeout(60):
        await made.destroy()
    assert made.current.problem is not None
    assert (made.current.problem.reason, made.current.session_state) == (Reason.SNAPSHOT_FAILED, SessionState.STOPPING)
    assert made.current.problem.message.startswith(executor.LOST)


async def test_a_release_that_hangs_is_given_up_within_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RELEASE_PATIENCE", 0.01)

    class Hanging(FakeStrategy):
        async def release(self) -> None:
            await asyncio.Event().wait()

    made = Client(auth=Hanging(SAVED))
    made.on("ready", lambda: made.stop())
    async with asyncio.timeout(60):
        assert (await made.run()).code is ExitCode.DONE


def test_a_worker_that_a_test_starts_ends_at_a_transition_that_its_table_does_not_list() -> None:
    strategy = FakeStrategy(SAVED)
    assert client_options.machine_settings(strategy, client_options.Options(), os.environ).strict
    assert not client_options.machine_settings(strategy, client_options.Options(), {}).strict


def test_a_stop_waits_for_no_sync_of_a_link_that_lies_on_disk_anyway() -> None:
    kept = [client_options.machine_settings(each, client_options.Options(), {}).keeps_profile for each in strategies()]
    assert kept == [True, False]


def strategies() -> list[auth.Auth]:
    return [auth.LocalAuth(), FakeStrategy()]


async def test_a_worker_whose_loop_is_cancelled_closes_the_browser_and_releases_the_session() -> None:
    released: list[str] = []

    class Releasing(FakeStrategy):
        async def release(self) -> None:
            released.append("released")

    async def ignored(name: str, arguments: tuple[object, ...]) -> None:
        """Be no listener."""

    strategy, browsers = Releasing(SAVED), FakeBrowsers(facts(S.CONNECTED, ALICE, True))
    kept = runner.SessionRunner(strategy, Settings(saves=True), browsers, ignored, ())
    strategy.context = replace(strategy.context, claimed=lambda time: kept.post(events.Claimed(time)))
    strategy.uploads.clear()
    running = asyncio.create_task(kept.run())
    await strategy.saving.wait()
    running.cancel()
    strategy.uploads.set()
    (done, _) = await asyncio.wait({running}, timeout=60)
    assert done
    assert running.cancelled()
    assert released == ["released"]
    assert browsers.running == []
