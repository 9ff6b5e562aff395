"""The real page in one browser, with the worker's adapter in it and the worker's machine behind it, but no worker.

A load takes a tenth of a second, a worker's start some seconds: this is for what is tried with many pages.
"""

import asyncio
import base64
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable

from component.workers import Home
from scenes.worker.machine_story import SAVED, SETTINGS, Story
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_session.session_spec import DEFAULT_URL
from whatsapp_worker.browser import chromium, command_line
from whatsapp_worker.browser.page import contract
from whatsapp_worker.core import actions, events
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import Restored

PATIENCE = 60.0
"""Seconds, which only guard: what is looked for comes within two."""


class Page:
    """A page whose events a machine hears, and whose loads, codes and saves are the test's to carry out."""

    def __init__(self, home: Home, settings: Settings = SETTINGS) -> None:
        self.home = home
        self._settings = settings
        self._options = chromium.Options(
            DEFAULT_URL,
            tuple(home.simulator.browser_args()),
            environment=command_line.environment(os.environ),
            contract=contract.load(),
        )
        self.known_hash = ""
        self.begin()

    def begin(self) -> None:
        """Begin a new story, as a worker that starts on this profile does."""
        saved, restored = (SAVED, Restored(4, 900.0)) if self.known_hash else (None, None)
        self.story = Story(self._settings).launched(events.ProfileReady(self.known_hash, saved, restored))
        self.done: list[actions.Action] = []
        self.heard: list[events.Event] = []

    def hear(self, event: events.Event, after: float = 0.0) -> None:
        """Let the machine hear of an event."""
        self.heard.append(event)
        self.done += self.story.on(event, after=after).actions

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Page"]:
        self.browser = chromium.Chromium(self._options, self.hear, lambda: None)
        try:
            await self.browser.launch(self.home.root / "profile")
            yield self
        finally:
            await self.browser.kill()

    async def show(self, **knobs: object) -> None:
        """Load the page with these knobs."""
        await asyncio.to_thread(self.home.simulator.admin.set_knobs, **knobs)
        await self.browser._live().goto("about:blank")  # so that the page before has said all that it says
        self.begin()
        await self.browser.load()

    async def link(self) -> str:
        """Scan the newest code with alice's phone; returns the device. From then on the page is known as hers."""
        assert await self.until(lambda: self.codes)
        device = await asyncio.to_thread(self.home.simulator.admin.scan, "alice", self.codes[-1])
        assert device is not None
        assert await self.until(lambda: self.is_connected)
        self.hear(events.SaveDone(SAVED))
        (self.known_hash,) = self.accounts
        return device

    async def until(self, predicate: Callable[[], object], seconds: float = PATIENCE) -> bool:
        end = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.01)
        return True

    async def passes_until(self, predicate: Callable[[], object]) -> bool:
        """Let time pass 25 times as fast for the machine, and do with the page what it decides."""

        def passed() -> bool:
            self.hear(events.Tick(), after=0.5)
            return bool(predicate())

        end = time.monotonic() + PATIENCE
        while not passed():
            for action in self.story.actions:
                if isinstance(action, actions.Load | actions.Recycle):
                    await self.browser.load()
                elif isinstance(action, actions.RefreshQr):
                    await self.browser.call("refreshQr")
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.02)
        return True

    @property
    def message(self) -> str:
        """What the session's status says of the page."""
        problem = self.story.state.problem
        return problem.message if problem and problem.reason is Reason.PAGE_CONTRACT_BROKEN else ""

    @property
    def codes(self) -> list[str]:
        found = [action for action in self.done if isinstance(action, actions.Emit) and action.name == "qr"]
        return [str(action.arguments[0]) for action in found]

    @property
    def accounts(self) -> set[str]:
        """Whoever the page was said to be linked as."""
        told = [getattr(event, "facts", None) for event in self.heard]
        return {facts.account.hash for facts in told if facts is not None and facts.account is not None}

    @property
    def is_connected(self) -> bool:
        return self.story.state.session_state is SessionState.CONNECTED


def is_scannable(code: str) -> bool:
    """Tell whether a code has a ref, three keys of 32 bytes and a platform."""
    ref, *keys, platform = code.split(",")
    return bool(ref) and platform == "1" and [len(base64.b64decode(key)) for key in keys] == [32, 32, 32]
