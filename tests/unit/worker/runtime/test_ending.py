"""How a client ends: what its listeners do must cost neither the last save nor a clean close."""

import asyncio
import logging
import os
import pathlib
from collections.abc import Callable

import pytest

from scenes.worker.machine_story import ALICE, SAVED, S, facts
from whatsapp_session.conditions import ExitCode, SessionState
from whatsapp_worker import Client, auth, client
from whatsapp_worker.browser import chromium
from whatsapp_worker.core import events, page_events
from whatsapp_worker.core.state import State
from whatsapp_worker.runtime import listeners, runner


class Strategy(auth.Auth):
    """Save without a store; ``uploads`` holds a save back until it is set."""

    saves = True

    def __init__(self) -> None:
        self.closed_for: list[page_events.Account | None] = []
        self.uploads = asyncio.Event()
        self.uploads.set()
        self.began = asyncio.Event()

    @property
    def profile(self) -> pathlib.Path:
        return pathlib.Path("/nowhere")

    async def before_browser(self) -> events.ProfileReady:
        self.context.claimed(0.0)
        return events.ProfileReady()

    async def save(
        self, running: chromium.Browser, account: page_events.Account, trigger: str
    ) -> auth.SaveResult | None:
        self.began.set()
        await self.uploads.wait()
        return auth.SaveResult(SAVED, changed=True)

    async def close(self, running: chromium.Browser, account: page_events.Account | None) -> auth.SaveResult | None:
        self.closed_for.append(account)
        await running.close()
        return auth.SaveResult(SAVED, changed=False)


class Engine(chromium.Browser):
    """A browser without a process whose page is linked and synced at once."""

    def __init__(self, _: object, on_event: Callable[[page_events.PageEvent], None], __: object) -> None:
        self.tell = on_event
        self.version, self.sandbox, self.children, self.identity = "156", "None", frozenset(), None

    def until(self, time: float) -> None:
        return

    async def launch(self, user_data_dir: pathlib.Path) -> None:
        return

    async def load(self) -> None:
        self.tell(page_events.Attached(facts(S.CONNECTED, ALICE, True)))

    async def close(self) -> bool:
        return True

    async def kill(self) -> None:
        return


class Stopping:
    """A reporter that waits for a stop to be heard."""

    def __init__(self) -> None:
        self.seen = asyncio.Event()

    def show(self, current: State) -> None:
        if current.session_state is SessionState.STOPPING:
            self.seen.set()


@pytest.fixture(autouse=True)
def without_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.chromium, "Browser", Engine)


async def test_a_listener_that_ends_the_client_and_waits_for_it_costs_neither_the_last_save_nor_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listeners, "PATIENCE", 3600.0)
    strategy, done = Strategy(), []
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
    strategy = Strategy()
    strategy.uploads.clear()
    made = Client(auth=strategy)
    made.start()
    await strategy.began.wait()
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
    strategy, heard = Strategy(), []
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
    await strategy.began.wait()
    async with asyncio.timeout(60):
        await made.destroy()
    let_go.set()
    assert strategy.closed_for == [ALICE]
    assert heard[0] == "cancelled"
    assert "ready" in heard, "the rest is told"


async def test_a_first_save_that_ends_after_the_stop_is_announced() -> None:
    strategy, heard = Strategy(), []
    strategy.uploads.clear()
    stopping = Stopping()
    made = Client(auth=strategy, reporters=(stopping,))
    made.on("remote_session_saved", lambda: heard.append("saved"))
    made.start()
    await strategy.began.wait()
    ending = asyncio.create_task(made.destroy())
    await stopping.seen.wait()
    strategy.uploads.set()
    await ending
    assert heard == ["saved"]
    assert not made.current.saving.running


async def test_a_listeners_exception_is_told_by_its_class_only(caplog: pytest.LogCaptureFixture) -> None:
    made = Client(auth=Strategy())

    @made.on("ready")
    def post() -> None:
        raise ConnectionError("https://bot.example/?code=2@secret")

    made.on("remote_session_saved", made.stop)
    with caplog.at_level(logging.ERROR):
        await made.run()
    assert "ready" in caplog.text
    assert "ConnectionError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_release_that_hangs_is_given_up_within_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RELEASE_PATIENCE", 0.01)

    class Hanging(Strategy):
        async def release(self) -> None:
            await asyncio.Event().wait()

    made = Client(auth=Hanging())
    made.on("ready", lambda: made.stop())
    async with asyncio.timeout(60):
        assert (await made.run()).code is ExitCode.DONE


def test_a_worker_that_a_test_starts_ends_at_a_transition_that_its_table_does_not_list() -> None:
    strategy = Strategy()
    assert client.machine_settings(strategy, client.Options(), os.environ).strict
    assert not client.machine_settings(strategy, client.Options(), {}).strict
