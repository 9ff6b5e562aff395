"""The worker's hands, with a browser and a strategy that only say what was done to them."""

import asyncio
import pathlib
from dataclasses import replace

import pytest

from unit.worker.machine_story import ALICE
from whatsapp_session.conditions import SessionState
from whatsapp_worker import auth, browser, hands, happenings
from whatsapp_worker import model as m
from whatsapp_worker.page import events


class Strategy(auth.Auth):
    """Remember whose login was to be saved at the close."""

    def __init__(self) -> None:
        self.closed_for: list[events.Account | None] = []

    @property
    def profile(self) -> pathlib.Path:
        return pathlib.Path("/nowhere")

    async def close(self, running: browser.Browser, account: events.Account | None) -> auth.SaveResult | None:
        self.closed_for.append(account)
        return None


class Engine(browser.Browser):
    """A browser without a process."""

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self.version, self.sandbox = "156", "namespaces"

    async def launch(self, user_data_dir: pathlib.Path) -> None:
        self.worker.alive.append(self)
        assert len(self.worker.alive) == 1, "two browsers on one profile"
        await asyncio.sleep(self.worker.slowness)

    async def load(self) -> None:
        return

    async def close(self) -> bool:
        await self.kill()
        return True

    async def kill(self) -> None:
        if self in self.worker.alive:
            self.worker.alive.remove(self)


class Worker:
    """Hands with what they hold."""

    def __init__(self) -> None:
        self.alive: list[Engine] = []
        self.launched = 0
        self.slowness = 0.0
        self.model = m.Model(SessionState.CONNECTED, account=ALICE, proven=True, synced=True)
        self.strategy = Strategy()
        self.events: list[happenings.Event] = []
        self.hands = hands.Hands(self.strategy, self._make, self.events.append, lambda: self.model, "")

    def _make(self, *_: object) -> Engine:
        self.launched += 1
        return Engine(self)


@pytest.fixture
def worker() -> Worker:
    return Worker()


async def test_a_stop_saves_the_login_of_a_page_that_has_just_been_loaded_again(worker: Worker) -> None:
    await worker.hands.launch()
    worker.model = replace(worker.model, state=SessionState.RECONNECTING, synced=False)
    await worker.hands.close(save=True)
    assert worker.strategy.closed_for == [ALICE]


async def test_a_stop_saves_nothing_of_a_login_that_was_never_connected(worker: Worker) -> None:
    await worker.hands.launch()
    worker.model = replace(worker.model, state=SessionState.SYNCING, proven=False)
    await worker.hands.close(save=True)
    assert worker.strategy.closed_for == [None]
