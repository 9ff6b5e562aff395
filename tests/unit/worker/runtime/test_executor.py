"""The worker's executor, with a browser and a strategy that only say what was done to them."""

import asyncio
from dataclasses import replace

import pytest

from fakes.browser import FakeBrowsers
from fakes.strategy import FakeStrategy
from scenes.worker.machine_story import ALICE, BOB, SAVED
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker import errors
from whatsapp_worker.browser.protocol import RunningBrowser
from whatsapp_worker.core import events, page_events
from whatsapp_worker.core.state import BrowserRun, Login, Page, Saved, State
from whatsapp_worker.core.transitions import RETRY
from whatsapp_worker.runtime import browser_life, executor


class Worker:
    """An executor with what it holds."""

    def __init__(self) -> None:
        self.browsers = FakeBrowsers()
        self.state = State(SessionState.CONNECTED, login=Login(ALICE, proven=True), page=Page(synced=True))
        self.strategy = FakeStrategy()
        self.events: list[events.Event] = []
        self.browser = browser_life.BrowserLife(self.browsers, lambda: self.strategy.profile, self.events.append)
        self.executor = executor.Executor(self.strategy, self.browser, self.events.append, lambda: self.state, "")

    @property
    def launches(self) -> tuple[int, int, int]:
        """How many browsers were made, ran at the same time, and run now."""
        return len(self.browsers.made), self.browsers.most, len(self.browsers.running)


@pytest.fixture
def worker() -> Worker:
    return Worker()


async def test_a_stop_saves_the_login_of_a_page_that_has_just_been_loaded_again(worker: Worker) -> None:
    await worker.browser.launch()
    worker.state = replace(worker.state, session_state=SessionState.RECONNECTING, page=Page())
    await worker.executor.close(save=True)
    assert worker.strategy.closed_for == [ALICE]


async def test_a_stop_saves_nothing_of_a_login_that_was_never_connected(worker: Worker) -> None:
    await worker.browser.launch()
    worker.state = replace(worker.state, session_state=SessionState.SYNCING, login=Login(ALICE))
    await worker.executor.close(save=True)
    assert worker.strategy.closed_for == [None]


async def test_a_stop_that_waited_for_a_first_sync_saves_what_page_and_disk_say_is_linked(worker: Worker) -> None:
    await worker.browser.launch()
    worker.strategy.saved = SAVED
    worker.state = State(SessionState.STOPPING, login=Login(ALICE), stopping=True)
    assert isinstance(await worker.executor.close(save=True), events.SaveDone)
    assert worker.strategy.closed_for == [ALICE]


async def test_a_stop_that_waited_for_a_first_sync_in_vain_says_what_was_lost(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unlinked(running: RunningBrowser, account: page_events.Account | None) -> Saved | None:
        raise errors.SnapshotFailed("the page does not say that it is linked")

    async def told(account: page_events.Account | None) -> str:
        worker.state = State(SessionState.STOPPING, login=Login(account), stopping=True)
        lost = await worker.executor.close(save=True)
        assert isinstance(lost, events.SaveFailed)
        return lost.message

    assert (await told(ALICE)).startswith(executor.LOST), "no browser runs"
    await worker.browser.launch()
    assert (await told(None)).startswith(executor.LOST), "the page named nobody"
    await worker.browser.launch()
    monkeypatch.setattr(worker.strategy, "close", unlinked)
    assert "does not say that it is linked" in await told(ALICE)


async def test_a_new_link_while_a_crashed_browser_waits_to_be_started_starts_one_browser(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    pausing, over = asyncio.Event(), asyncio.Event()

    async def pause(seconds: float) -> None:
        assert seconds == RETRY.after(2)
        pausing.set()
        await over.wait()

    monkeypatch.setattr(asyncio, "sleep", pause)
    worker.state = replace(worker.state, browser=BrowserRun(restarts=2))
    recycling = asyncio.create_task(worker.browser.recycle(lambda: worker.state.browser.restarts, gently=False))
    await pausing.wait()
    await worker.executor.relink("", "")
    await worker.browser.launch()
    over.set()
    await recycling
    assert worker.launches == (1, 1, 1)


async def test_a_pairing_code_that_is_refused_is_told_and_left_to_the_machine(worker: Worker) -> None:
    await worker.browser.launch()
    worker.browsers.refuses = frozenset({"pairingCode"})
    await worker.executor.pairing_code()
    assert worker.browsers.made[0].calls == ["pairingCode"]
    assert worker.events[-1] == events.RetryingAfter(Reason.AWAITING_SCAN, "no pairing code: rate-overlimit")


async def test_a_strategy_that_finds_nothing_to_save_ends_the_save(worker: Worker) -> None:
    await worker.browser.launch()
    await worker.executor.save("Interval")
    assert worker.events[-1] == events.SaveDone(None)


async def test_a_save_that_waits_while_its_login_is_given_up_is_not_taken(worker: Worker) -> None:
    await worker.browser.launch()
    posted = len(worker.events)
    async with worker.executor.lane:
        saving = asyncio.create_task(worker.executor.save("Interval", worker.state.login.number))
        await asyncio.sleep(0)
        worker.state = replace(worker.state, login=Login(BOB, number=1))
    await saving
    assert worker.events[posted:] == [], "nothing of the new login, which has a save of its own"
    await worker.executor.save("FirstLink", 1)
    assert worker.events[posted:] == [events.SaveDone(None, 1)]


async def test_no_older_profile_is_put_in_place_beside_a_save_that_is_under_way(worker: Worker) -> None:
    async with worker.executor.lane:
        falling = asyncio.create_task(worker.executor.restore_previous())
        await asyncio.sleep(0.01)
        assert worker.events == []
    await falling
    assert worker.events == [events.ProfileReady()]


async def test_a_profile_that_the_store_keeps_from_being_put_in_place_ends_the_process(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(self: FakeStrategy) -> events.ProfileReady:
        raise errors.NotFound("it went between two looks")

    monkeypatch.setattr(FakeStrategy, "restore_previous", gone)
    await worker.executor.restore_previous()
    (event,) = worker.events
    assert event == events.Fatal(ExitCode.CRASHED, Reason.STORE_UNAVAILABLE, "it went between two looks")
