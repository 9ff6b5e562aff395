"""What every browser of the worker must do: the tests that the real one and the fake both pass."""

import asyncio
import pathlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from whatsapp_worker import errors
from whatsapp_worker.auth import flush
from whatsapp_worker.browser import protocol
from whatsapp_worker.core import page_events
from whatsapp_worker.profile import layout


@dataclass
class Scene:
    """A browser of the kind under test, not started, and what it reported."""

    make: protocol.MakeBrowser
    profile: pathlib.Path
    crash: Callable[[protocol.Browser], None]
    """Ends it from outside."""
    reported: list[page_events.PageEvent] = field(default_factory=list)
    gone: int = 0

    def __post_init__(self) -> None:
        self.browser = self.make(self.reported.append, self._gone)

    def _gone(self) -> None:
        self.gone += 1

    async def shown(self) -> protocol.Browser:
        """Start it and load the page, whose adapter then listens."""
        await self.browser.launch(self.profile)
        await self.browser.load()
        await until(lambda: any(isinstance(each, page_events.Attached) for each in self.reported))
        return self.browser


async def until(predicate: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not predicate():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


Question = Callable[[protocol.Browser], Awaitable[Any]]
QUESTIONS: dict[str, Question] = {
    "load": lambda browser: browser.load(),
    "facts": lambda browser: browser.facts(),
    "call": lambda browser: browser.call("storage"),
}


class BrowserContract:
    """Subclass it with a fixture ``scene``."""

    @pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
    async def test_nothing_answers_before_the_launch(self, scene: Scene, question: Question) -> None:
        with pytest.raises(errors.BrowserError):
            await question(scene.browser)
        with pytest.raises(errors.BrowserError), scene.browser.frozen():
            raise AssertionError("there is nothing to freeze")

    async def test_a_page_that_was_loaded_reports_and_answers(self, scene: Scene) -> None:
        browser = await scene.shown()
        assert int(browser.version.split(".")[0]) > 100
        assert browser.sandbox
        facts = await browser.facts()
        assert facts is not None
        assert not facts.synced
        assert not facts.account, "nobody has linked"

    async def test_what_the_page_wrote_last_is_on_disk_once_it_has_closed(self, scene: Scene) -> None:
        browser = await scene.shown()
        async with flush.sentinel(browser) as mark:
            await browser.close_page()
            await flush.wait_for(scene.profile, mark)
        assert scene.gone == 0, "nobody else has closed it"
        assert await browser.close()
        assert layout.holds_sentinel(scene.profile, mark.key, mark.value)

    async def test_what_the_page_is_told_to_write_is_on_disk_soon(self, scene: Scene) -> None:
        browser = await scene.shown()
        async with flush.sentinel(browser) as mark:
            await flush.wait_for(scene.profile, mark)
            with browser.frozen():
                assert layout.holds_sentinel(scene.profile, mark.key, mark.value)

    async def test_it_closes_cleanly_once_and_is_not_missed(self, scene: Scene) -> None:
        browser = await scene.shown()
        browser.until(time.monotonic() + 3600)
        assert await browser.close()
        assert not await browser.close(), "there was nothing left to close"
        with pytest.raises(errors.BrowserError):
            await browser.facts()
        await browser.kill()
        assert scene.gone == 0, "that was asked for"

    async def test_one_that_is_killed_from_outside_is_missed_once(self, scene: Scene) -> None:
        browser = await scene.shown()
        scene.crash(browser)
        await until(lambda: scene.gone == 1)
        await browser.kill()
        await browser.kill()
        assert scene.gone == 1
